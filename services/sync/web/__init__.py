"""The way out over HTTP, to the providers that give tokens."""
