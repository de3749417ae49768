"""What the api does, one verb a module: the world first, one transaction last."""
