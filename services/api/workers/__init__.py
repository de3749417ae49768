"""What the api does by itself: one module for each kind of work."""
