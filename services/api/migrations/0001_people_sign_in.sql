-- Who comes: tenants, the people in them, and their sessions. Requests act for a caller only
-- once it is known who that is, so api_request has no right to any of these tables.

CREATE TABLE tenant (
    tenant_id uuid PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

-- A person may come to belong to several tenants, so this table has no tenant.
CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,  -- the address as it is compared: case-folded
    name text NOT NULL DEFAULT '',
    password_hash text NOT NULL,  -- Argon2id (RFC 9106)
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_has_one_address UNIQUE (email_key)
);

CREATE TABLE membership (
    tenant_id uuid NOT NULL REFERENCES tenant,
    person_id uuid NOT NULL REFERENCES person,
    role text NOT NULL,  -- owner, admin, member, read_only
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, person_id)
);
CREATE INDEX membership_by_person ON membership (person_id, joined_at);

-- One sign-in on one device: the family of refresh tokens that follow from it.
CREATE TABLE session (
    session_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    person_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);
CREATE INDEX session_by_person ON session (tenant_id, person_id);
CREATE INDEX session_by_expires_at ON session (expires_at);

CREATE TABLE refresh_token (
    token_hash bytea PRIMARY KEY,  -- SHA-256; the token itself is 256 random bits
    session_id uuid NOT NULL REFERENCES session ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON tenant TO api USING (true) WITH CHECK (true);
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE person FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON person TO api USING (true) WITH CHECK (true);
ALTER TABLE membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE membership FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON membership TO api USING (true) WITH CHECK (true);
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON session TO api USING (true) WITH CHECK (true);
ALTER TABLE refresh_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_token FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON refresh_token TO api USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON tenant, person, membership, session, refresh_token TO api;
