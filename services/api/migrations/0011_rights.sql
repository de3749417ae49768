-- Who may do what: API tokens, sessions in a cookie, and accounts that are somebody's own or shared.
-- What a person may see of their own is read and changed under row-level security; the person is
-- `postbus.person`, set with the tenant.

-- Where a session is: what the one who signed in came with, so that they know it again in a list.
ALTER TABLE session
    ADD COLUMN client text NOT NULL DEFAULT '',  -- User-Agent (RFC 9110 §10.1.5)
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN cookie_hash bytea,  -- SHA-256; NULL: a session of access and refresh tokens
    ADD CONSTRAINT session_has_one_cookie UNIQUE (cookie_hash);

CREATE TABLE api_token (
    tenant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,  -- how the token begins: what it is known by in a list
    token_hash bytea NOT NULL,  -- SHA-256; the token itself is 256 random bits
    scopes text[] NOT NULL,
    account_ids uuid[],  -- NULL: every account its person may see
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    used_at timestamptz,
    used_from text,
    PRIMARY KEY (tenant_id, token_id),
    CONSTRAINT api_token_is_one UNIQUE (token_hash),
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX api_token_by_person ON api_token (tenant_id, person_id);

-- An account is its owner's, and of those it is shared with.
ALTER TABLE account
    -- Whoever makes it. NULL: of somebody who has left; the tenant's owners see it.
    ADD COLUMN owner_id uuid DEFAULT nullif(current_setting('postbus.person', true), '')::uuid,
    ADD COLUMN shared_with_all boolean NOT NULL DEFAULT false;

CREATE TABLE account_share (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, account_id, person_id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES account ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX account_share_by_person ON account_share (tenant_id, person_id);

-- Until now a tenant was one person, to whom all its accounts belong. The tables' owner sees rows
-- only where their security does not bind it, too.
ALTER TABLE account NO FORCE ROW LEVEL SECURITY;
ALTER TABLE membership NO FORCE ROW LEVEL SECURITY;
UPDATE account SET owner_id = (
    SELECT person_id FROM membership
     WHERE membership.tenant_id = account.tenant_id AND role = 'owner'
     ORDER BY joined_at LIMIT 1);
ALTER TABLE account FORCE ROW LEVEL SECURITY;
ALTER TABLE membership FORCE ROW LEVEL SECURITY;

ALTER TABLE api_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_token FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON api_token TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON api_token TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND person_id = (SELECT nullif(current_setting('postbus.person', true), '')::uuid));

ALTER TABLE account_share ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_share FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON account_share TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON account_share TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

-- Of sessions and members a caller sees what is theirs; never what proves anything.
CREATE POLICY callers ON session TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND person_id = (SELECT nullif(current_setting('postbus.person', true), '')::uuid));
CREATE POLICY callers ON membership TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));
CREATE POLICY callers ON tenant TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));
CREATE POLICY callers ON person TO api_request USING (
    EXISTS (SELECT 1 FROM membership
             WHERE membership.person_id = person.person_id
               AND tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)));

GRANT SELECT, UPDATE, DELETE ON api_token TO api;
GRANT SELECT (tenant_id, token_id, person_id, name, prefix, scopes, account_ids, created_at,
              expires_at, used_at, used_from),
      INSERT, DELETE ON api_token TO api_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON account_share TO api;
GRANT SELECT, INSERT, DELETE ON account_share TO api_request;
GRANT UPDATE (shared_with_all) ON account TO api_request;
GRANT SELECT (session_id, tenant_id, person_id, created_at, used_at, expires_at, revoked_at,
              client, address),
      UPDATE (revoked_at) ON session TO api_request;
GRANT SELECT ON membership TO api_request;
GRANT SELECT (tenant_id, name, created_at) ON tenant TO api_request;
GRANT SELECT (person_id, email, name) ON person TO api_request;
