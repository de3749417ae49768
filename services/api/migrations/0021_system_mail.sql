-- Mail of Postbus itself: to verify an address, to reset a password, to invite. A row says that one
-- is to be sent; the secret in its link is made when it is, and kept as a hash only.

ALTER TABLE person ADD COLUMN email_verified_at timestamptz;

CREATE TABLE system_mail (
    mail_id uuid PRIMARY KEY,
    kind text NOT NULL,  -- verify, reset, invite
    tenant_id uuid,
    person_id uuid REFERENCES person ON DELETE CASCADE,  -- whom it is to, unless it is to be one
    invitation_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    FOREIGN KEY (tenant_id, invitation_id) REFERENCES invitation ON DELETE CASCADE
);
CREATE INDEX system_mail_by_due_at ON system_mail (due_at);

-- What such a link carries: good once, and for a while.
CREATE TABLE mailed_secret (
    secret_hash bytea PRIMARY KEY,  -- SHA-256; the secret is 256 random bits
    kind text NOT NULL,  -- verify, reset
    person_id uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX mailed_secret_by_person ON mailed_secret (person_id);
CREATE INDEX mailed_secret_by_expires_at ON mailed_secret (expires_at);

ALTER TABLE system_mail ENABLE ROW LEVEL SECURITY;
ALTER TABLE system_mail FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON system_mail TO api USING (true) WITH CHECK (true);
ALTER TABLE mailed_secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailed_secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON mailed_secret TO api USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON system_mail, mailed_secret TO api;
