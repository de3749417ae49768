-- Messages on their way out, as sender tells of them. The text is with sender, not here.
CREATE TABLE submission (
    tenant_id uuid NOT NULL,
    submission_id uuid NOT NULL,
    account_id uuid NOT NULL,
    created_by uuid,  -- the person
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    subject text NOT NULL DEFAULT '',
    addressed json NOT NULL DEFAULT '{}',  -- to, cc, bcc as given
    revision bigint NOT NULL DEFAULT 0,  -- 0: sender has not spoken yet
    state text NOT NULL DEFAULT 'queued',
    rfc_message_id text,
    recipients json NOT NULL DEFAULT '[]',  -- each with its fate
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    reason text,
    server_said text,
    filed boolean NOT NULL DEFAULT false,
    idempotency_key text,
    request_digest bytea,
    PRIMARY KEY (tenant_id, submission_id)
);
CREATE INDEX submission_by_account
    ON submission (tenant_id, account_id, created_at DESC, submission_id DESC);
CREATE INDEX submission_by_created_at
    ON submission (tenant_id, created_at DESC, submission_id DESC);
CREATE UNIQUE INDEX submission_by_idempotency_key
    ON submission (tenant_id, created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The event log. seq has no gaps within a tenant: it is taken from log_position by the last
-- statement before COMMIT, and the row lock makes the order of numbers the order of commits.
CREATE TABLE log_position (
    tenant_id uuid PRIMARY KEY,
    epoch integer NOT NULL DEFAULT 1,  -- raised by a restore: older cursors no longer mean the same
    seq bigint NOT NULL DEFAULT 0,  -- the last one given
    kept_from bigint NOT NULL DEFAULT 1  -- the first one not yet forgotten
);

CREATE TABLE event_log (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,  -- the fact on the bus, or the action, that this row follows from
    n smallint NOT NULL,  -- which of its rows
    type text NOT NULL,
    account_id uuid,  -- NULL: concerns the whole tenant
    occurred_at timestamptz NOT NULL,
    logged_at timestamptz NOT NULL DEFAULT now(),
    body json NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    CONSTRAINT event_log_says_it_once UNIQUE (tenant_id, event_id, n),
    CONSTRAINT event_log_body_is_short CHECK (octet_length(body::text) <= 8192)
);
CREATE INDEX event_log_by_account ON event_log (tenant_id, account_id, seq);

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text NOT NULL,               -- 'mail' (live) or 'fill'
    subject text NOT NULL,
    event_id uuid NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_lane_position ON outbox (lane, position);

ALTER TABLE submission ENABLE ROW LEVEL SECURITY;
ALTER TABLE submission FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON submission TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON submission TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

ALTER TABLE log_position ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_position FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON log_position TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON log_position TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));

ALTER TABLE event_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON event_log TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON event_log TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND (account_id IS NULL
        OR account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[])));

GRANT SELECT, INSERT, UPDATE, DELETE ON submission, log_position, event_log TO api;
GRANT SELECT, INSERT, DELETE ON outbox TO api;
GRANT UPDATE ON outbox TO api;  -- the relay takes rows FOR UPDATE
GRANT SELECT, INSERT ON submission TO api_request;
GRANT SELECT ON log_position, event_log TO api_request;
GRANT UPDATE (seq) ON log_position TO api_request;
GRANT INSERT ON event_log TO api_request;
GRANT INSERT ON outbox TO api_request;
