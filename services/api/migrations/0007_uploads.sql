-- Files on their way into a message. These rows are the only copy, so they are rows.

CREATE TABLE upload (
    tenant_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    created_by uuid NOT NULL,  -- the person: nobody else may use it
    created_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    content_type text NOT NULL DEFAULT '',
    size_bytes bigint NOT NULL DEFAULT 0,
    completed_at timestamptz,  -- NULL: it is still coming, or never came to its end
    unused_since timestamptz DEFAULT now(),  -- NULL: something uses it
    PRIMARY KEY (tenant_id, upload_id)
);
CREATE INDEX upload_by_created_by ON upload (tenant_id, created_by) WHERE unused_since IS NOT NULL;
CREATE INDEX upload_by_unused_since ON upload (unused_since) WHERE unused_since IS NOT NULL;

CREATE TABLE upload_piece (
    tenant_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    number integer NOT NULL,  -- counts from 0; all but the last are equally long
    data bytea NOT NULL,
    PRIMARY KEY (tenant_id, upload_id, number),
    FOREIGN KEY (tenant_id, upload_id) REFERENCES upload ON DELETE CASCADE
);
ALTER TABLE upload_piece ALTER COLUMN data SET STORAGE EXTERNAL;

-- What needs an upload: a draft, a submission.
CREATE TABLE upload_use (
    tenant_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    used_by uuid NOT NULL,
    PRIMARY KEY (tenant_id, upload_id, used_by),
    FOREIGN KEY (tenant_id, upload_id) REFERENCES upload
);
CREATE INDEX upload_use_by_used_by ON upload_use (tenant_id, used_by);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['upload', 'upload_piece', 'upload_use']
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

GRANT SELECT, DELETE ON upload TO api;
GRANT UPDATE (unused_since) ON upload TO api;  -- old ones are taken FOR UPDATE
GRANT SELECT, INSERT, UPDATE, DELETE ON upload TO api_request;
GRANT SELECT, INSERT ON upload_piece TO api_request;
GRANT SELECT, INSERT, DELETE ON upload_use TO api_request;
