"""The way out over HTTP, to what mail points at."""
