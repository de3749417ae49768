"""All SQL of the api: a function takes the connection first and never opens a transaction."""
