-- The senders whose remote images a person wants to see without being asked each time.

CREATE TABLE image_sender (
    tenant_id uuid NOT NULL,
    image_sender_id uuid NOT NULL,
    person_id uuid NOT NULL,
    sender text NOT NULL,  -- an address, or a domain, which stands for those below it as well
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, image_sender_id),
    CONSTRAINT image_sender_is_allowed_once UNIQUE (tenant_id, person_id, sender),
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);

ALTER TABLE image_sender ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_sender FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON image_sender TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON image_sender TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND person_id = (SELECT nullif(current_setting('postbus.person', true), '')::uuid));

GRANT SELECT, INSERT, DELETE ON image_sender TO api_request;
