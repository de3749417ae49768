-- The copy: accounts, how far each mailbox was read, and what is in it.

CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    version bigint NOT NULL,
    email text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    security text NOT NULL,
    username text NOT NULL,
    verify_certificate boolean NOT NULL,
    sealed bytea,                   -- HPKE; NULL once removed
    seal_key_id text,
    connected_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,         -- a tombstone: nothing brings the account back
    forgotten_at timestamptz        -- its rows are gone
);
CREATE INDEX account_by_removed ON account (removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE account_state (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    state text NOT NULL,
    reason text,
    server_said text,
    revision bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Who works on an account. Workers read it FOR SHARE in every write and never update it.
CREATE TABLE lease (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    replica_id uuid,
    fence bigint NOT NULL DEFAULT 0
);
CREATE INDEX lease_by_replica ON lease (replica_id);

CREATE TABLE replica (
    replica_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- The account's revision: taken by UPDATE as the first lock after the lease, so that the order
-- of revisions is the order of commits. Its high bits are the epoch that a restore raises.
CREATE TABLE clock (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    revision bigint NOT NULL DEFAULT 0
);

CREATE TABLE mailbox (
    mailbox_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    path text NOT NULL,
    raw_name bytea NOT NULL,
    delimiter text,
    role text,
    selectable boolean NOT NULL,
    revision bigint NOT NULL,
    uidvalidity bigint,
    first_uidnext bigint,           -- at the first SELECT: what comes later is new to the world
    covered int8multirange NOT NULL DEFAULT '{}',
    copied_at timestamptz,          -- when all of it was covered for the first time
    server_count bigint NOT NULL DEFAULT 0,
    status text,                    -- what STATUS said when we last compared everything
    compared_at timestamptz,
    trouble text,                   -- why it could not be read last time
    gone_at timestamptz
);
CREATE UNIQUE INDEX mailbox_by_path ON mailbox (account_id, path) WHERE gone_at IS NULL;

CREATE TABLE message (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    mailbox_id uuid,                -- NULL: expunged somewhere, may turn up elsewhere
    uid bigint,                     -- NULL: without a place (in transit, or renumbered)
    unplaced_at timestamptz,
    revision bigint NOT NULL,
    keywords text[] NOT NULL,
    thread_id uuid NOT NULL,
    content_id bytea NOT NULL,
    fingerprint bytea NOT NULL,     -- by which it is found again after a move
    arrival text NOT NULL,
    size_bytes bigint NOT NULL,
    received_at timestamptz NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX message_by_uid ON message (mailbox_id, uid);
CREATE INDEX message_by_account ON message (account_id, message_id);
CREATE INDEX message_by_thread ON message (account_id, thread_id);
CREATE INDEX message_by_fingerprint ON message (account_id, fingerprint);
CREATE INDEX message_unplaced ON message (account_id, unplaced_at) WHERE uid IS NULL;

CREATE TABLE message_content (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    content bytea NOT NULL,         -- the contract's Content, JSON, zstd
    body bytea NOT NULL             -- text, HTML and headers, JSON, zstd
);
ALTER TABLE message_content ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE message_content ALTER COLUMN body SET STORAGE EXTERNAL;

-- Every id that a message of the account has or names, and the thread it stands for.
CREATE TABLE thread_name (
    account_id uuid NOT NULL,
    name_digest bytea NOT NULL,     -- of the Message-ID: header values may be longer than a key
    tenant_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    PRIMARY KEY (account_id, name_digest)
);
CREATE INDEX thread_name_by_thread ON thread_name (account_id, thread_id);

CREATE TABLE tombstone (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    revision bigint NOT NULL,
    vanished_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tombstone_by_vanished ON tombstone (vanished_at);

-- What is on the server and could not be kept, and why. Never in the way of the next.
CREATE TABLE quarantine (
    mailbox_id uuid NOT NULL,
    uid bigint NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    reason text NOT NULL,
    size_bytes bigint,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox_id, uid)
);

CREATE TABLE retelling (
    account_id uuid NOT NULL,
    listener text NOT NULL,
    generation uuid NOT NULL,
    tenant_id uuid NOT NULL,
    as_of_revision bigint NOT NULL,
    next_page integer NOT NULL DEFAULT 0,
    told_up_to uuid,                -- the last message of the last page
    asked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, listener)
);

CREATE TABLE sent_copy (
    submission_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    message_id text NOT NULL,       -- the Message-ID header
    sent_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    trouble text,
    filed_at timestamptz
);
CREATE INDEX sent_copy_due ON sent_copy (due_at) WHERE filed_at IS NULL;

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text NOT NULL,
    subject text NOT NULL,
    event_id uuid NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_lane_position ON outbox (lane, position);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sync TO sync;
REVOKE ALL ON migration FROM sync;
GRANT SELECT ON migration TO sync;
GRANT SELECT ON message, message_content, mailbox TO sync_request;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['account', 'account_state', 'lease', 'clock', 'mailbox', 'message',
                                'message_content', 'thread_name', 'tombstone', 'quarantine',
                                'retelling', 'sent_copy']
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
