"""Benchmarks of training, and of the data that it reads."""
