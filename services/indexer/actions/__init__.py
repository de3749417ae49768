"""What the memory does: one verb each."""
