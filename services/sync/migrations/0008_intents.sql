-- What people want done on their servers: each intent until it is settled, and a while longer.

CREATE TABLE intent (
    intent_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    seq bigint NOT NULL,
    command bytea NOT NULL,         -- CarryIntent, JSON
    undoes uuid,
    not_before timestamptz,
    stage text NOT NULL DEFAULT 'waiting',  -- waiting, executing, settled
    progress bytea,                 -- what was noted before a command that must not be repeated
    trouble text,                   -- why it could not be carried out last time
    received_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz
);
CREATE UNIQUE INDEX intent_by_seq ON intent (account_id, seq);
CREATE INDEX intent_unsettled ON intent (account_id, seq) WHERE settled_at IS NULL;
CREATE INDEX intent_by_settled_at ON intent (settled_at) WHERE settled_at IS NOT NULL;

ALTER TABLE intent ENABLE ROW LEVEL SECURITY;
ALTER TABLE intent FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON intent TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON intent TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE ON intent TO sync;
