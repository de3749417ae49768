"""How mail is found: words, documents, and the language of queries. Pure."""
