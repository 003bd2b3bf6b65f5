"""Benchmarks. They write their results to reports/ and everything else to runs/."""
