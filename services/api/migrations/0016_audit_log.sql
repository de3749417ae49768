-- Who did what. What is logged on somebody's behalf says so in its row, and the audit is written
-- from these rows; what no event tells of (signing in, tokens, members) is written where it happens.

ALTER TABLE event_log
    ADD COLUMN actor json DEFAULT nullif(current_setting('postbus.actor', true), '')::json;

CREATE TABLE audit_log (
    tenant_id uuid NOT NULL,
    audit_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    action text NOT NULL,
    person_id uuid,  -- NULL: nobody who had proven who they are
    token_id uuid,  -- the API token that spoke for them
    address text,
    request_id text,
    account_id uuid,
    subject text,  -- what it was done to: an id as it is shown, or an address
    details json NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX audit_log_by_time ON audit_log (tenant_id, occurred_at DESC, audit_id DESC);
CREATE INDEX audit_log_by_occurred_at ON audit_log (occurred_at);

-- How far each tenant's log has been read for it.
CREATE TABLE audit_position (
    tenant_id uuid PRIMARY KEY,
    seq bigint NOT NULL
);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON audit_log TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON audit_log TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid));
-- Nobody changes it, and nobody deletes from it but the function below, which can only what its
-- policies let it: what is old enough, and all of a tenant that is deleted.
CREATE POLICY seen_by_forgetting ON audit_log FOR SELECT TO api_owner USING (true);
CREATE POLICY forgotten ON audit_log FOR DELETE TO api_owner USING (
    occurred_at < now() - interval '90 days'
    OR tenant_id IN (SELECT tenant_id FROM tenant WHERE deleted_at IS NOT NULL));
CREATE POLICY seen_by_forgetting ON tenant FOR SELECT TO api_owner USING (true);

ALTER TABLE audit_position ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_position FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON audit_position TO api USING (true) WITH CHECK (true);

CREATE FUNCTION forget_audit(of_tenant uuid, before timestamptz, most integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = api, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM audit_log
         WHERE (tenant_id, audit_id) IN (
               SELECT tenant_id, audit_id FROM audit_log
                WHERE (of_tenant IS NULL OR tenant_id = of_tenant) AND occurred_at < before
                LIMIT most)
        RETURNING 1)
    SELECT count(*)::integer FROM gone
$$;
REVOKE ALL ON FUNCTION forget_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_audit TO api;

GRANT SELECT, INSERT ON audit_log TO api;
GRANT SELECT, INSERT ON audit_log TO api_request;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_position TO api;
