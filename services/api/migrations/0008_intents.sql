-- What people want changed: shown at once, carried out by sync, and confirmed or taken back by its
-- word. A job is what one request asked for in one account; its intents are what sync is told.

CREATE TABLE job (
    tenant_id uuid NOT NULL,
    job_id uuid NOT NULL,
    account_id uuid NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    change json NOT NULL,           -- what is wanted; an undoing has none of its own
    selection json,                 -- of which messages, where they are not all gathered yet
    gathered_up_to uuid,            -- the last of them
    gathered_at timestamptz,        -- when all were
    undoes uuid,                    -- a job
    undone_by uuid,                 -- a job
    irreversible boolean NOT NULL DEFAULT false,
    total integer NOT NULL DEFAULT 0,   -- messages, or 1 for a mailbox
    done integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'pending',  -- pending, done, partly_done, failed, undone
    reason text,
    server_said text,
    PRIMARY KEY (tenant_id, job_id)
);
CREATE INDEX job_by_account ON job (tenant_id, account_id);
CREATE INDEX job_gathering ON job (created_at) WHERE gathered_at IS NULL;
CREATE INDEX job_by_created_at ON job (created_at);

-- The number of an account's last intent. Beside the account, which projectors hold FOR SHARE.
CREATE TABLE intent_clock (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    seq bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, account_id)
);

CREATE TABLE intent (
    tenant_id uuid NOT NULL,
    intent_id uuid NOT NULL,
    account_id uuid NOT NULL,
    job_id uuid NOT NULL,
    seq bigint NOT NULL,
    steps json NOT NULL,
    mailbox json,
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, intent_id)
);
CREATE INDEX intent_by_job ON intent (tenant_id, job_id, seq);
CREATE INDEX intent_by_account ON intent (tenant_id, account_id);

-- The messages of an intent, and how each was shown before it: what undoing it goes back to.
CREATE TABLE intent_message (
    tenant_id uuid NOT NULL,
    intent_id uuid NOT NULL,
    message_id uuid NOT NULL,
    account_id uuid NOT NULL,
    seq bigint NOT NULL,
    was_mailbox_id uuid,
    was_keywords text[] NOT NULL,
    was_labels text[] NOT NULL,
    pending boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, intent_id, message_id)
);
CREATE INDEX intent_message_pending ON intent_message (tenant_id, message_id, seq) WHERE pending;
CREATE INDEX intent_message_by_account ON intent_message (tenant_id, account_id);

-- The state of a message as sync told it, while what is shown differs: message has what is shown.
CREATE TABLE confirmed (
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    account_id uuid NOT NULL,
    revision bigint NOT NULL,
    mailbox_id uuid,
    keywords text[] NOT NULL,
    labels text[] NOT NULL,
    PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX confirmed_by_mailbox ON confirmed (tenant_id, mailbox_id);
CREATE INDEX confirmed_by_account ON confirmed (tenant_id, account_id);

-- What one conversation consists of.
CREATE INDEX message_by_thread ON message (tenant_id, thread_id) WHERE listed;

-- A mailbox that was asked for: shown until sync tells of it or it is refused.
ALTER TABLE mailbox ADD COLUMN pending text;  -- create, rename, delete, subscribe

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['job', 'intent_clock', 'intent', 'intent_message', 'confirmed']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY own_work ON %I TO api USING (true) WITH CHECK (true)', name);
        EXECUTE format($policy$
            CREATE POLICY callers ON %I TO api_request USING (
                tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
                AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                              ::uuid[])::uuid[]))
            $policy$, name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON job, intent_clock, intent, intent_message, confirmed TO api;
GRANT SELECT, INSERT ON job, intent, intent_message TO api_request;
GRANT UPDATE (undone_by, updated_at, total, done, failed, state, reason, server_said,
              gathered_up_to, gathered_at)
   ON job TO api_request;
GRANT SELECT, INSERT, UPDATE (seq) ON intent_clock TO api_request;
GRANT SELECT, INSERT ON confirmed TO api_request;
-- What is shown follows at once; what is confirmed follows sync.
GRANT UPDATE (mailbox_id, keywords, labels) ON message TO api_request;
GRANT INSERT (tenant_id, mailbox_id, account_id, message_count, unread_count, path, name,
              delimiter, pending) ON mailbox TO api_request;
GRANT UPDATE (message_count, unread_count, pending) ON mailbox TO api_request;
GRANT INSERT, DELETE ON message_label TO api_request;
