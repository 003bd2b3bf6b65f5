"""Benchmarks of the backend."""
