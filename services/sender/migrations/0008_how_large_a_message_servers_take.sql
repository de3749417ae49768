-- What a submission server says of itself (RFC 1870): known before a message is handed over, too.
ALTER TABLE submission_server ALTER COLUMN messages_per_session DROP NOT NULL;
ALTER TABLE submission_server ADD COLUMN largest_bytes bigint;
