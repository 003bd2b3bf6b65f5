"""Middleware that every request passes before its route: slashes, access log, keys, limits."""
