-- What can be found of each message. Told by sync, kept here only to search in: all of it can be
-- told again. No foreign keys: rows are fed by channels that keep no order among each other.

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text NOT NULL,
    subject text NOT NULL,
    event_id uuid NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_lane_position ON outbox (lane, position);
-- UPDATE for the locks of FOR UPDATE; no row is ever changed.
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO indexer;

-- Every account we ever heard of. Whoever writes rows of an account holds its row first, so that
-- a removal waits for them and nothing comes after it.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- A retell that was true as of this revision is complete here: an unknown message that is not
    -- newer has vanished since, and what still speaks of it is late.
    complete_as_of bigint NOT NULL DEFAULT -1,
    removed_at timestamptz,
    swept_at timestamptz  -- the rows of the removed account are gone
);
CREATE INDEX account_to_sweep ON account (removed_at) WHERE removed_at IS NOT NULL AND swept_at IS NULL;

-- One row per message: its state, and what of its content limits a search.
CREATE TABLE document (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    revision bigint NOT NULL,  -- of the state, or of the vanishing
    mailbox_id uuid,
    thread_id uuid,
    keywords text[] NOT NULL DEFAULT '{}',  -- in lower case: they have none (RFC 9051 §2.3.2)
    has_content boolean NOT NULL DEFAULT false,  -- else a stub: its state came before its content
    received_at timestamptz,
    size_bytes bigint,
    is_whole boolean NOT NULL DEFAULT true,  -- the tsvector knows the place of every word
    vanished_at timestamptz,
    alive_as_of bigint,  -- the newest revision as of which a retell named it, NULL: none did
    CONSTRAINT document_content_has_a_date CHECK (NOT has_content OR received_at IS NOT NULL),
    CONSTRAINT document_vanished_has_nothing CHECK (vanished_at IS NULL OR NOT has_content)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Serves the walk by date, the end of a retell and the sweep of a removed account.
CREATE INDEX document_by_tenant_account_received
    ON document (tenant_id, account_id, received_at DESC, message_id DESC);
CREATE INDEX document_by_vanished ON document (vanished_at) WHERE vanished_at IS NOT NULL;

-- The words of a message. Apart from its state, which changes often and would rewrite them.
CREATE TABLE words_live (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    words tsvector NOT NULL
) WITH (
    -- An insert is enough to be worth a vacuum: it empties GIN's pending list, which every search
    -- reads from end to end.
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
CREATE INDEX words_live_by_words ON words_live USING gin (words)
    WITH (fastupdate = on, gin_pending_list_limit = 2048);

-- What a message says, for snippets and for reading its words again.
CREATE TABLE document_text (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    subject text NOT NULL,
    sender text[] NOT NULL,
    recipients_to text[] NOT NULL,
    recipients_cc text[] NOT NULL,
    recipients_bcc text[] NOT NULL,
    filenames text[] NOT NULL,
    list_id text NOT NULL,
    header_id text NOT NULL,
    preview text NOT NULL,
    body text NOT NULL,
    attachment_count integer NOT NULL
);
DO $$
BEGIN
    -- lz4 is faster both ways; not every build of PostgreSQL has it.
    IF 'lz4' = ANY (SELECT unnest(enumvals) FROM pg_settings
                     WHERE name = 'default_toast_compression') THEN
        ALTER TABLE document_text ALTER COLUMN body SET COMPRESSION lz4;
        ALTER TABLE words_live ALTER COLUMN words SET COMPRESSION lz4;
    END IF;
END
$$;

-- Whether what is told of a message's state replaces what is known, also that it vanished: an id is
-- never used again, so only a history that was lost in a restore can be newer than a tombstone. A
-- retell speaks for every revision up to the one as of which it is true.
CREATE FUNCTION replaces_state(known document, told document) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN told.alive_as_of IS NOT NULL AND known.vanished_at IS NULL
            THEN told.alive_as_of >= greatest(known.revision, known.alive_as_of)
        ELSE greatest(told.revision, told.alive_as_of)
             > greatest(known.revision, known.alive_as_of)
    END
$$;

-- Whether what is told brings the content of a message known without it. The first writer wins.
CREATE FUNCTION adds_content(known document, told document) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT told.has_content AND NOT known.has_content
           AND (known.vanished_at IS NULL OR replaces_state(known, told))
$$;

-- A retell under way: which of its numbered pages are here, and once known how many there are.
CREATE TABLE retelling (
    account_id uuid NOT NULL,
    generation uuid NOT NULL,
    tenant_id uuid NOT NULL,
    pages_here int8multirange NOT NULL DEFAULT '{}',
    pages bigint,
    as_of_revision bigint NOT NULL,  -- the least that its pages or its end said
    begun_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    PRIMARY KEY (account_id, generation)
);

GRANT SELECT, INSERT, UPDATE, DELETE
    ON account, document, words_live, document_text, retelling TO indexer;
GRANT SELECT ON account, document, words_live, document_text TO indexer_request;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['account', 'document', 'words_live', 'document_text', 'retelling'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', kept);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', kept);
        EXECUTE format('CREATE POLICY own_work ON %I TO indexer USING (true) WITH CHECK (true)', kept);
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO indexer_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
                AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[])
            )$policy$, kept);
    END LOOP;
END
$$;
