-- Webhooks: endpoints of a tenant's own that are told what the event log says. A webhook reads the
-- log once, in order; what it finds for an account becomes that account's lane, and lanes are
-- delivered side by side, each in order.

CREATE TABLE webhook (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    acts_for uuid NOT NULL,  -- a person: it tells what they may see, when it is told
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    types text[],            -- NULL: all
    account_ids uuid[],      -- NULL: all, and what concerns no account
    read_to bigint NOT NULL, -- so far the log has been read, and sorted into lanes
    read_at timestamptz,
    paused_at timestamptz,
    paused_because text,     -- asked, failing, gone, nobody
    failures integer NOT NULL DEFAULT 0,  -- in a row, of all its lanes
    failing_since timestamptz,            -- set by the third of them
    succeeded_at timestamptz,
    failed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, webhook_id)
);

-- Two at most are live, while the receiver learns of the newer one.
CREATE TABLE webhook_secret (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    secret_id uuid NOT NULL,
    key_id text NOT NULL,    -- which of the api's own keys opens it
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at timestamptz,     -- NULL: the newest
    PRIMARY KEY (tenant_id, webhook_id, secret_id)
);

-- What one webhook is yet to be told of one account. A row is there while there is something.
CREATE TABLE webhook_lane (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    lane uuid NOT NULL,      -- the account; the tenant, for what concerns no account
    account_id uuid,
    seq bigint NOT NULL,        -- in the log: the last that was delivered, or need not be
    wanted_to bigint NOT NULL,  -- in the log: the last that is to be delivered
    attempts integer NOT NULL DEFAULT 0,  -- at the next event
    failing_since timestamptz,
    due_at timestamptz NOT NULL,
    paused_at timestamptz,      -- it alone failed for days
    leased_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,  -- raised by each lease: a stale deliverer writes nothing
    PRIMARY KEY (tenant_id, webhook_id, lane)
);
CREATE INDEX webhook_lane_by_due_at ON webhook_lane (due_at) WHERE paused_at IS NULL;

-- Each attempt to deliver an event.
CREATE TABLE webhook_delivery (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    account_id uuid,
    cursor text,             -- in the log; NULL for a test
    event_id text NOT NULL,  -- as the receiver sees it
    type text NOT NULL,
    attempt integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    result text NOT NULL,    -- ok, refused, unreachable, timed_out, broken, skipped
    status smallint,
    milliseconds integer,
    detail text,
    response_head text,
    response_body text,
    PRIMARY KEY (tenant_id, delivery_id)
);
CREATE INDEX webhook_delivery_by_webhook
    ON webhook_delivery (tenant_id, webhook_id, attempted_at DESC, delivery_id DESC);
CREATE INDEX webhook_delivery_by_attempted_at ON webhook_delivery (attempted_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhook', 'webhook_secret', 'webhook_lane', 'webhook_delivery']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_work ON %I TO api USING (true) WITH CHECK (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['webhook', 'webhook_secret', 'webhook_lane']
    LOOP
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO api_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid))
            $policy$, name);
    END LOOP;
END
$$;
CREATE POLICY callers ON webhook_delivery TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND (account_id IS NULL
        OR account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[])));

GRANT SELECT, INSERT, UPDATE, DELETE
   ON webhook, webhook_secret, webhook_lane, webhook_delivery TO api;
GRANT SELECT, INSERT, DELETE ON webhook, webhook_secret TO api_request;
GRANT UPDATE (acts_for, url, description, types, account_ids, read_to, paused_at, paused_because,
              failures, failing_since, updated_at) ON webhook TO api_request;
GRANT UPDATE (ends_at) ON webhook_secret TO api_request;
GRANT SELECT, DELETE ON webhook_lane TO api_request;
GRANT UPDATE (seq, attempts, failing_since, due_at, paused_at, leased_until, fence)
   ON webhook_lane TO api_request;
GRANT SELECT, INSERT ON webhook_delivery TO api_request;
