-- Who one writes as, what a submission was written in answer to, and what was asked about it since.

-- An account's own address is an identity without a row, until something is said of it; its id is
-- then the account's.
CREATE TABLE identity (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    account_id uuid NOT NULL,
    name text,  -- NULL: the account's
    email text NOT NULL,
    reply_to json NOT NULL DEFAULT '[]',
    signature_text text NOT NULL DEFAULT '',
    signature_html text NOT NULL DEFAULT '',
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, identity_id)
);
CREATE INDEX identity_by_account ON identity (tenant_id, account_id);
CREATE UNIQUE INDEX identity_default ON identity (tenant_id, account_id) WHERE is_default;

ALTER TABLE identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON identity TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON identity TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));
GRANT SELECT, DELETE ON identity TO api;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity TO api_request;

-- Whether one may write as anybody from this account.
ALTER TABLE account ADD COLUMN any_sender boolean NOT NULL DEFAULT false;
GRANT UPDATE (any_sender) ON account TO api_request;

ALTER TABLE submission
    ADD COLUMN sender json,  -- NULL: of before this was kept
    ADD COLUMN answers uuid,  -- the message, to be marked once this is accepted
    ADD COLUMN forwards uuid,
    ADD COLUMN followed boolean NOT NULL DEFAULT false,  -- it was marked, or there is none
    ADD COLUMN size_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN change_id uuid,  -- what was asked last, and is answered
    ADD COLUMN change_refused text;
CREATE INDEX submission_by_state ON submission (tenant_id, state, created_at DESC, submission_id DESC);

-- Uploads are let go when sender has them.
GRANT SELECT, DELETE ON upload_use TO api;
GRANT SELECT, INSERT ON job, intent, intent_message, intent_clock TO api;
