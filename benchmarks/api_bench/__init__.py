"""The parts of `benchmarks/api.py`."""
