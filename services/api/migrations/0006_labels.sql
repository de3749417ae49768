-- Labels, where a server has them beside mailboxes (Gmail); and when a first copy will be whole.

ALTER TABLE message ADD COLUMN labels text[] NOT NULL DEFAULT '{}';
ALTER TABLE account ADD COLUMN progress_ends_at timestamptz;

-- The labels of messages that lists show: the newest messages of a label are a walk along the key.
CREATE TABLE message_label (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    label text NOT NULL,
    received_at timestamptz NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, account_id, label, received_at, message_id)
);
CREATE INDEX message_label_by_message ON message_label (tenant_id, message_id);

ALTER TABLE message_label ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_label FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON message_label TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON message_label TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

GRANT SELECT, INSERT, DELETE ON message_label TO api;
GRANT SELECT ON message_label TO api_request;
