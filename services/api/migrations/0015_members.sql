-- Who belongs to a tenant, and who is asked to. An invitation is good for whoever holds its link, once.

CREATE TABLE invitation (
    tenant_id uuid NOT NULL REFERENCES tenant ON DELETE CASCADE,
    invitation_id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,  -- case-folded, as a person's
    role text NOT NULL,
    token_hash bytea NOT NULL,  -- SHA-256; the token is 256 random bits, in the link
    invited_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, invitation_id),
    CONSTRAINT invitation_is_one UNIQUE (token_hash),
    CONSTRAINT invitation_of_an_address_is_one UNIQUE (tenant_id, email_key)
);
CREATE INDEX invitation_by_expires_at ON invitation (expires_at);

ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON invitation TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON invitation TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));

GRANT SELECT, INSERT, UPDATE, DELETE ON invitation TO api;
GRANT SELECT (tenant_id, invitation_id, email, email_key, role, invited_by, created_at, expires_at),
      DELETE ON invitation TO api_request;
