-- Accounts that sign in by OAuth2: where consents are given, and links by which people give them.

ALTER TABLE account ADD COLUMN oauth_provider text;  -- NULL: signs in with a password
GRANT UPDATE (oauth_provider) ON account TO api_request;

-- Where people may be led when a link of this tenant is done.
ALTER TABLE tenant ADD COLUMN connect_return_urls text[] NOT NULL DEFAULT '{}';
GRANT SELECT (connect_return_urls), UPDATE (connect_return_urls) ON tenant TO api_request;

-- A tenant's own clients. The secret is sync's: it stands sealed in the command that tells of it.
CREATE TABLE oauth_provider (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    client_id text NOT NULL,
    authorization_endpoint text NOT NULL,
    token_endpoint text NOT NULL,
    scopes text[] NOT NULL,
    servers json NOT NULL,       -- imap and smtp
    parameters json NOT NULL,
    client_authentication text NOT NULL,
    has_secret boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- A link by which somebody connects a mailbox, once. While they are at their provider, `state_hash`
-- and `browser_hash` say which answer is theirs.
CREATE TABLE connect_link (
    tenant_id uuid NOT NULL,
    link_id uuid NOT NULL,
    made_by uuid NOT NULL,       -- a person: the account becomes theirs
    link_hash bytea NOT NULL,    -- SHA-256; the link holds 256 random bits
    account_id uuid,             -- to be repaired; NULL: a new one
    name text NOT NULL,
    email text,
    providers text[],            -- NULL: any
    password_allowed boolean NOT NULL,
    return_url text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state_hash bytea,
    browser_hash bytea,
    begun_at timestamptz,
    provider text,
    username text,
    completed_at timestamptz,
    connected_id uuid,           -- the account that came of it
    PRIMARY KEY (tenant_id, link_id),
    CONSTRAINT connect_link_is_one UNIQUE (link_hash)
);
CREATE UNIQUE INDEX connect_link_by_state ON connect_link (state_hash)
 WHERE state_hash IS NOT NULL;
CREATE INDEX connect_link_by_expires_at ON connect_link (expires_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['oauth_provider', 'connect_link']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_work ON %I TO api USING (true) WITH CHECK (true)', name);
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO api_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid))
            $policy$, name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_provider, connect_link TO api;
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_provider TO api_request;
GRANT SELECT (tenant_id, link_id, made_by, account_id, name, email, providers, password_allowed,
              return_url, created_at, expires_at, completed_at, connected_id),
      INSERT, DELETE,
      UPDATE (completed_at, connected_id)
   ON connect_link TO api_request;
