-- OAuth2 in place of passwords: what accounts may use, and tenants' own clients at providers.

-- One consent. Its refresh token stands sealed in `sealed`, and never anywhere else; the access token
-- of now in `access_sealed`. A refresh is claimed before it is asked for, so that of many who need a
-- token one asks; what comes of it is kept before it is used.
CREATE TABLE oauth_grant (
    grant_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    provider text NOT NULL,
    sealed bytea NOT NULL,
    seal_key_id text NOT NULL,
    refreshes bigint NOT NULL DEFAULT 0,  -- a result is kept by who knew this number
    access_sealed bytea,
    refresh_at timestamptz,               -- at 80 % of its life
    expires_at timestamptz,
    claimed_until timestamptz,
    failures integer NOT NULL DEFAULT 0,  -- of the provider, in a row
    retry_at timestamptz,
    ended_at timestamptz,                 -- the provider takes it no more
    said text,                            -- in the provider's words
    adopted_at timestamptz,               -- an account uses it
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX oauth_grant_by_account ON oauth_grant (account_id);
CREATE INDEX oauth_grant_unadopted ON oauth_grant (made_at) WHERE adopted_at IS NULL;

CREATE TABLE oauth_client (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    client_id text NOT NULL,
    token_endpoint text NOT NULL,
    client_authentication text NOT NULL,
    sealed_secret bytea,
    seal_key_id text,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, name)
);

ALTER TABLE account ADD COLUMN grant_id uuid;  -- NULL: signs in with the password in `sealed`

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['oauth_grant', 'oauth_client']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_work ON %I TO sync USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_grant, oauth_client TO sync;
