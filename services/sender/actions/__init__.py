"""What sender does, one verb a module: the outside world first, one transaction last."""
