"""What Postbus runs on: images, configuration, and the one-command platform."""
