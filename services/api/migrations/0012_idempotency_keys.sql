-- What was asked with an Idempotency-Key, and what was answered: for a day.

CREATE TABLE idempotency_key (
    tenant_id uuid NOT NULL,
    person_id uuid NOT NULL,  -- keys of different people never meet
    key text NOT NULL,
    request_digest bytea NOT NULL,
    claimed_at timestamptz NOT NULL,
    status smallint,  -- NULL: it is being carried out
    headers jsonb,
    body bytea,
    PRIMARY KEY (tenant_id, person_id, key),
    CONSTRAINT idempotency_key_has_all_of_an_answer
        CHECK ((status IS NULL) = (body IS NULL) AND (status IS NULL) = (headers IS NULL))
);
CREATE INDEX idempotency_key_by_claimed_at ON idempotency_key (claimed_at);

ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON idempotency_key TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON idempotency_key TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));

GRANT SELECT, DELETE ON idempotency_key TO api;  -- to forget old ones
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_key TO api_request;
