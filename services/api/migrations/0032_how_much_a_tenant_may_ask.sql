-- Requests a minute of all its people and tokens together. NULL: what each of them may ask.
ALTER TABLE tenant ADD COLUMN quota_requests_per_minute integer;
GRANT SELECT (quota_requests_per_minute) ON tenant TO api_request;
