-- Searches that people keep under a name, and those they made lately. Each is its person's own.

CREATE TABLE saved_search (
    tenant_id uuid NOT NULL,
    saved_search_id uuid NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    q text NOT NULL,
    account_ids uuid[] NOT NULL DEFAULT '{}',  -- none: all that the person may see
    ordered text NOT NULL DEFAULT 'newest',
    unit text NOT NULL DEFAULT 'messages',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, saved_search_id)
);
CREATE UNIQUE INDEX saved_search_by_name ON saved_search (tenant_id, person_id, lower(name));

CREATE TABLE recent_search (
    tenant_id uuid NOT NULL,
    person_id uuid NOT NULL,
    q text NOT NULL,
    searched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, person_id, q)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['saved_search', 'recent_search']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO api_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid))
            $policy$, name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON saved_search, recent_search TO api_request;
