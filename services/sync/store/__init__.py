"""All SQL of sync. Functions take the connection first and never open a transaction."""
