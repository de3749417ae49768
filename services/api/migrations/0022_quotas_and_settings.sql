-- How much a tenant may have, and what it has; and how people want the webmail to be.

ALTER TABLE tenant
    ADD COLUMN quota_accounts bigint,  -- NULL: as many as they like
    ADD COLUMN quota_storage_bytes bigint,
    ADD COLUMN quota_sends_per_day bigint,
    ADD COLUMN storage_bytes bigint NOT NULL DEFAULT 0,  -- mail and uploads, as counted last
    ADD COLUMN storage_counted_at timestamptz;

GRANT SELECT (quota_accounts, quota_storage_bytes, quota_sends_per_day, storage_bytes,
              storage_counted_at) ON tenant TO api_request;

-- What counts is the whole tenant's, also what the caller may not see: hence functions that run as
-- the role `api`, and take the tenant from the session and never from an argument.
CREATE FUNCTION accounts_of_tenant() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = api, pg_temp
AS $$
    SELECT count(*) FROM account
     WHERE tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
       AND deleted_at IS NULL
$$;
CREATE FUNCTION sends_of_tenant() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = api, pg_temp
AS $$
    SELECT count(*) FROM submission
     WHERE tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
       AND created_at > now() - interval '24 hours'
$$;
REVOKE ALL ON FUNCTION accounts_of_tenant(), sends_of_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_of_tenant(), sends_of_tenant() TO api_request;

-- A function given away must be owned by one that may create in the schema; only for this moment.
GRANT CREATE ON SCHEMA api TO api;
ALTER FUNCTION accounts_of_tenant() OWNER TO api;
ALTER FUNCTION sends_of_tenant() OWNER TO api;
REVOKE CREATE ON SCHEMA api FROM api;

CREATE TABLE person_settings (
    tenant_id uuid NOT NULL,
    person_id uuid NOT NULL,
    version bigint NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (tenant_id, person_id),
    FOREIGN KEY (tenant_id, person_id) REFERENCES membership ON DELETE CASCADE
);
ALTER TABLE person_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON person_settings TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON person_settings TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND person_id = (SELECT nullif(current_setting('postbus.person', true), '')::uuid));

GRANT SELECT, DELETE ON person_settings TO api;
GRANT SELECT, INSERT, UPDATE ON person_settings TO api_request;
