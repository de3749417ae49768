-- The messages that a search found when a job was asked for, until they are gathered.

CREATE TABLE job_message (
    tenant_id uuid NOT NULL,
    job_id uuid NOT NULL,
    message_id uuid NOT NULL,
    account_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, job_id, message_id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES job ON DELETE CASCADE
);

ALTER TABLE job_message ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_message FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON job_message TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON job_message TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));

GRANT SELECT, DELETE ON job_message TO api;
GRANT SELECT, INSERT, DELETE ON job_message TO api_request;
