-- Tenants that are suspended or deleted, and people who go. What is kept of a deletion is ids and
-- times: whoever asked for it can see by them, without signing in, what is left.

ALTER TABLE tenant
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_for text,  -- what its members are told
    ADD COLUMN forgotten_at timestamptz;
CREATE INDEX tenant_by_deleted_at ON tenant (deleted_at)
    WHERE deleted_at IS NOT NULL AND forgotten_at IS NULL;

CREATE TABLE deletion (
    deletion_id uuid PRIMARY KEY,  -- random: whoever knows it may look
    tenant_id uuid NOT NULL,
    person_id uuid,  -- NULL: the whole tenant
    asked_at timestamptz NOT NULL DEFAULT now(),
    account_ids uuid[] NOT NULL  -- those that were disconnected for it
);
CREATE INDEX deletion_by_asked_at ON deletion (asked_at);

ALTER TABLE deletion ENABLE ROW LEVEL SECURITY;
ALTER TABLE deletion FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON deletion TO api USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE ON deletion TO api;

GRANT UPDATE (name) ON tenant TO api_request;

-- All of a tenant goes by the same hand, whatever the table.
GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA api TO api;
REVOKE DELETE ON audit_log, migration FROM api;
ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT, DELETE ON TABLES TO api;
