-- What is heard of messages after they were sent, and addresses to which nothing more is sent.

-- A report names a message by its Message-ID.
CREATE INDEX submission_by_message_id ON submission (tenant_id, message_id_header);

-- Where nobody said whether a message was taken, traces of it are sought for some days.
ALTER TABLE submission ADD COLUMN seek_at timestamptz;
ALTER TABLE submission ADD COLUMN seeks integer NOT NULL DEFAULT 0;
CREATE INDEX submission_by_seek ON submission (seek_at) WHERE seek_at IS NOT NULL;
UPDATE submission SET seek_at = now() WHERE state = 'uncertain';

ALTER TABLE submission ADD COLUMN ignores_suppressions boolean NOT NULL DEFAULT false;

-- Addresses a tenant sends nothing to. `email` as it is compared: in lower case.
CREATE TABLE suppression (
    tenant_id uuid NOT NULL,
    email text NOT NULL,
    reason text NOT NULL,
    said text,
    submission_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, email)
);
ALTER TABLE suppression ENABLE ROW LEVEL SECURITY;
ALTER TABLE suppression FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON suppression TO sender USING (true) WITH CHECK (true);
CREATE POLICY callers ON suppression TO sender_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON suppression TO sender;
GRANT SELECT ON suppression TO sender_request;
