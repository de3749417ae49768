"""Certificates: those between the containers, and the one that the world sees."""
