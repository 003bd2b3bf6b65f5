"""Publish a version, promote it, verify it, announce it."""
