"""The parts of `benchmarks/sync.py`: mail, servers, peers, and what is measured of each."""
