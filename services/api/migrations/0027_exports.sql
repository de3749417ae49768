-- What somebody takes along: mail in volumes, each of which is written when it is fetched.

CREATE TABLE export (
    tenant_id uuid NOT NULL,
    export_id uuid NOT NULL,
    person_id uuid NOT NULL,
    account_ids uuid[] NOT NULL,
    format text NOT NULL,  -- mbox, eml
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, export_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX export_by_expires_at ON export (expires_at);

-- Messages of one account, in the order of their ids: those from the first to the last.
CREATE TABLE export_volume (
    tenant_id uuid NOT NULL,
    export_id uuid NOT NULL,
    number integer NOT NULL,  -- counts from 1
    account_id uuid NOT NULL,
    first_message_id uuid NOT NULL,
    last_message_id uuid NOT NULL,
    message_count bigint NOT NULL,
    size_bytes bigint NOT NULL,
    PRIMARY KEY (tenant_id, export_id, number),
    FOREIGN KEY (tenant_id, export_id) REFERENCES export ON DELETE CASCADE
);

ALTER TABLE export ENABLE ROW LEVEL SECURITY;
ALTER TABLE export FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON export TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON export TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND person_id = (SELECT nullif(current_setting('postbus.person', true), '')::uuid));

ALTER TABLE export_volume ENABLE ROW LEVEL SECURITY;
ALTER TABLE export_volume FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON export_volume TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON export_volume TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

GRANT SELECT, DELETE ON export TO api;
GRANT SELECT, DELETE ON export_volume TO api;
GRANT SELECT, INSERT, DELETE ON export TO api_request;
GRANT SELECT, INSERT ON export_volume TO api_request;
