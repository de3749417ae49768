-- What is shown is held against what sync proved; and whether somebody subscribed to a mailbox.

ALTER TABLE mailbox ADD COLUMN subscribed boolean NOT NULL DEFAULT true;

-- A retelling asked for because something was missing here.
ALTER TABLE account ADD COLUMN retell_asked_at timestamptz;

-- Few: messages that lists would show, were they not marked for removal. Beside message_by_mailbox,
-- which has all that lists do show, this tells what is in a mailbox.
CREATE INDEX message_hidden_by_mailbox ON message (tenant_id, mailbox_id)
    WHERE received_at IS NOT NULL AND mailbox_id IS NOT NULL AND keywords @> ARRAY['\Deleted'];

-- Buckets of a mailbox (shared/contracts/audit.py) that are not here as an audit said. What is on
-- its way makes such a difference, too; one that lasts is mended by a retelling.
CREATE TABLE audit_difference (
    tenant_id uuid NOT NULL,
    mailbox_id uuid NOT NULL,
    bucket integer NOT NULL,
    account_id uuid NOT NULL,
    expected_count bigint NOT NULL,
    expected_hash bigint NOT NULL,
    since timestamptz NOT NULL,  -- the first audit that expected this
    PRIMARY KEY (tenant_id, mailbox_id, bucket)
);
CREATE INDEX audit_difference_by_account ON audit_difference (tenant_id, account_id);

ALTER TABLE audit_difference ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_difference FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON audit_difference TO api USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_difference TO api;
