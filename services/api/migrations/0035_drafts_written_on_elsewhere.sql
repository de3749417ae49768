-- Which message in a mailbox for drafts says what a version of a draft says: our copy of it, the
-- first that came with its Message-ID, or one that another program made and the draft was read
-- from. When it goes, and nobody here made it go, another program writes on.
CREATE TABLE draft_there (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    draft_id uuid NOT NULL,
    version bigint NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, draft_id, version)
);
CREATE INDEX draft_there_by_account ON draft_there (tenant_id, account_id);

ALTER TABLE draft_there ENABLE ROW LEVEL SECURITY;
ALTER TABLE draft_there FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON draft_there TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON draft_there TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));
GRANT SELECT, INSERT, DELETE ON draft_there TO api;
GRANT SELECT, INSERT, DELETE ON draft_there TO api_request;

INSERT INTO draft_there (tenant_id, account_id, draft_id, version, message_id)
SELECT tenant_id, account_id, draft_id, 1, replaces FROM draft WHERE replaces IS NOT NULL;

-- Accounts in whose mailboxes for drafts something changed, until their drafts were held against it.
CREATE TABLE drafts_changed (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    look_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_id)
);
CREATE INDEX drafts_changed_by_look_at ON drafts_changed (look_at);

ALTER TABLE drafts_changed ENABLE ROW LEVEL SECURITY;
ALTER TABLE drafts_changed FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON drafts_changed TO api USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON drafts_changed TO api;
