-- Consents of removed accounts are ended at their provider before they are forgotten (RFC 7009).

ALTER TABLE oauth_grant
    ADD COLUMN revoke_at timestamptz,      -- to be ended there, not before; NULL: it is in use
    ADD COLUMN revoke_until timestamptz;   -- then it is forgotten all the same
CREATE INDEX oauth_grant_to_revoke ON oauth_grant (revoke_at) WHERE revoke_at IS NOT NULL;

ALTER TABLE oauth_client ADD COLUMN revocation_endpoint text;
