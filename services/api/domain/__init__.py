"""Rules of the api that need no clock, no database and no network."""
