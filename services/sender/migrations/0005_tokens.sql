-- OAuth2 in place of a password: sync is asked for a token, and `sealed` is empty.
ALTER TABLE account ADD COLUMN by_token boolean NOT NULL DEFAULT false;
