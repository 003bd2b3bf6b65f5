"""What every request passes through before a route: access log, keys, limits."""
