"""Measurements: one module a claim, each run by `python -m benchmarks.<claim>`, all by `make bench`."""
