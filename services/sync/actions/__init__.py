"""What sync does: one verb per module, the outside world first, one transaction last."""
