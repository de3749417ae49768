"""What `benchmarks/mime.py` measures: agreement, threads, quoted history, speed."""
