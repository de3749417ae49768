"""What is asked of the stack of compose.yaml by who operates it."""
