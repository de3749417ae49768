-- What an account's server said it is, and does by itself: a profile is chosen by it.

CREATE TABLE account_server (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    settings_version bigint NOT NULL,   -- of the account: with others it may be another server
    provider text,                      -- as shared/dial/providers.toml names it; NULL: unknown
    chosen_by text,                     -- host, server_id, capability
    server_name text,                   -- by its answer to ID (RFC 2971)
    files_sent boolean                  -- puts what is sent into Sent by itself; NULL: not seen yet
);

GRANT SELECT, INSERT, UPDATE, DELETE ON account_server TO sync;
GRANT SELECT ON account_server TO sync_request;

ALTER TABLE account_server ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_server FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON account_server TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON account_server TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));
