-- Messages that are being written. The newest version is here; a copy follows in the account's
-- mailbox for drafts, for other programs to see.

CREATE TABLE draft (
    tenant_id uuid NOT NULL,
    draft_id uuid NOT NULL,
    account_id uuid NOT NULL,
    created_by uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1,  -- counts saves; what If-Match is held against
    written json NOT NULL,
    replaces uuid,  -- a message made elsewhere that it was read from, until the copy takes its place
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    copy_due_at timestamptz,  -- NULL: the copy was asked for
    PRIMARY KEY (tenant_id, draft_id)
);
CREATE INDEX draft_by_account ON draft (tenant_id, account_id, updated_at DESC, draft_id DESC);
CREATE INDEX draft_by_updated_at ON draft (tenant_id, updated_at DESC, draft_id DESC);
CREATE INDEX draft_by_copy_due_at ON draft (copy_due_at) WHERE copy_due_at IS NOT NULL;
CREATE UNIQUE INDEX draft_by_replaces ON draft (tenant_id, replaces) WHERE replaces IS NOT NULL;

ALTER TABLE draft ENABLE ROW LEVEL SECURITY;
ALTER TABLE draft FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON draft TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON draft TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));
GRANT SELECT, UPDATE, DELETE ON draft TO api;
GRANT SELECT, INSERT, UPDATE, DELETE ON draft TO api_request;
