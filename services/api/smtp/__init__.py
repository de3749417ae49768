"""The door to the SMTP server through which Postbus itself writes to people."""
