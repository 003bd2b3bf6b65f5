"""Benchmarks of reports and drift tests."""
