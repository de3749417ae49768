-- A mailbox that went is known again for a day: by its UIDVALIDITY, which its row keeps, and by the
-- newest messages that were in it then, which by now may be gone themselves.

CREATE TABLE keepsake (
    mailbox_id uuid NOT NULL,
    uid bigint NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    email_id text,
    match_key bytea,
    PRIMARY KEY (mailbox_id, uid)
);
CREATE INDEX keepsake_by_account ON keepsake (account_id);

ALTER TABLE keepsake ENABLE ROW LEVEL SECURITY;
ALTER TABLE keepsake FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON keepsake TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON keepsake TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE ON keepsake TO sync;
