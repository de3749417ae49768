-- The proof of each mailbox: what the server had and what was kept of it when all of it was last
-- compared, message by message.

CREATE TABLE audit (
    mailbox_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    server_count bigint,            -- NULL, as all about a proof: there is none yet
    kept_count bigint,
    quarantined_count bigint,
    as_of_revision bigint,
    proven_at timestamptz,
    agreed boolean GENERATED ALWAYS AS (server_count = kept_count + quarantined_count) STORED,
    due_at timestamptz              -- a listener found a difference: compare again, not before this
);
CREATE INDEX audit_by_account ON audit (account_id);

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON audit TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON audit TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE ON audit TO sync;
GRANT SELECT ON audit TO sync_request;
GRANT SELECT (mailbox_id, tenant_id, account_id) ON quarantine TO sync_request;
