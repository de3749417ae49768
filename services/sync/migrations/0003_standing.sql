-- How an account stands with its server: paused or not, what it waits for, what it uses, and what
-- could not be kept.

ALTER TABLE account
    ADD COLUMN paused_at timestamptz,               -- its owner wants the server left alone
    ADD COLUMN pause_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN check_asked_at timestamptz;          -- when a look was last asked for

-- What an account waits for, and what its server taught us. Written when there is trouble only.
CREATE TABLE account_rest (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    settings_version bigint NOT NULL,   -- of the account: new settings wait for nothing
    rested_at timestamptz,              -- who asks for a look after it does not wait for us
    rests_until timestamptz,            -- NULL: for nothing
    reason text,
    asked_by_server boolean NOT NULL DEFAULT false,
    failures integer NOT NULL DEFAULT 0,    -- in a row
    connections_learnt integer,         -- so many the server allows, as it turned out
    learnt_at timestamptz
);

-- What an account used of its server, day by day (UTC).
CREATE TABLE account_use (
    account_id uuid NOT NULL,
    day date NOT NULL,
    tenant_id uuid NOT NULL,
    bytes bigint NOT NULL DEFAULT 0,    -- fetched
    commands bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, day)
);
CREATE INDEX account_use_by_day ON account_use (day);

-- A connection to a mail server: who holds the how-manieth of an account's. What a dead replica
-- held is free.
CREATE TABLE connection_slot (
    account_id uuid NOT NULL,
    number integer NOT NULL,            -- from 1
    tenant_id uuid NOT NULL,
    role text NOT NULL,                 -- listen, answer
    replica_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, number)
);
CREATE INDEX connection_slot_by_replica ON connection_slot (replica_id);

-- A replica of the answer role keeps no account, but holds connections.
ALTER TABLE replica ADD COLUMN role text NOT NULL DEFAULT 'listen';

-- Servers that nobody here should call for a while. Of no tenant: all who use a server wait for it
-- together, so nothing is in here that the server said to one of them.
CREATE TABLE host_rest (
    host text NOT NULL,
    port integer NOT NULL,
    rests_until timestamptz NOT NULL,
    failures integer NOT NULL,          -- in a row, one for each pause
    reason text NOT NULL,
    tried_by uuid,                      -- the one account that tries when the pause is over
    tried_until timestamptz,            -- and how long the others wait for what it finds
    PRIMARY KEY (host, port)
);

ALTER TABLE quarantine
    ADD COLUMN quarantine_id uuid NOT NULL DEFAULT uuidv7(),
    ADD COLUMN detail text NOT NULL DEFAULT '',
    ADD COLUMN attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN last_tried_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN release text NOT NULL DEFAULT '';    -- of the software that tried last
CREATE INDEX quarantine_by_account ON quarantine (account_id, noticed_at, quarantine_id);

GRANT SELECT, INSERT, UPDATE, DELETE
   ON account_rest, account_use, connection_slot, host_rest TO sync;
GRANT SELECT ON account_rest, account_use, connection_slot, host_rest, account_state, replica
   TO sync_request;
GRANT SELECT (account_id, tenant_id, version, host, port, removed_at, paused_at, check_asked_at)
   ON account TO sync_request;
-- Not the UID: it is sync's own.
GRANT SELECT (quarantine_id, account_id, tenant_id, mailbox_id, reason, detail, size_bytes,
              attempts, noticed_at, last_tried_at)
   ON quarantine TO sync_request;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['account_rest', 'account_use', 'connection_slot']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_work ON %I TO sync USING (true) WITH CHECK (true)', name);
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO sync_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
                AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                              ::uuid[])::uuid[]))
            $policy$, name);
    END LOOP;
END
$$;

-- A caller sees of the servers only those of accounts that they see.
ALTER TABLE host_rest ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_rest FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON host_rest TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON host_rest TO sync_request USING (
    EXISTS (SELECT 1 FROM account
             WHERE account.host = host_rest.host AND account.port = host_rest.port));
