-- Of messages that match only: the words of the query, and how they were understood (JSON).
ALTER TABLE webhook ADD COLUMN query text;
ALTER TABLE webhook ADD COLUMN condition text;
ALTER TABLE webhook ADD CONSTRAINT webhook_query_is_understood
    CHECK ((query IS NULL) = (condition IS NULL));
GRANT UPDATE (query, condition) ON webhook TO api_request;
