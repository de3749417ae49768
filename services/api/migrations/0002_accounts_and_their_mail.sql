-- What is shown of mail accounts. The account is made here; how it is doing, its mailboxes and
-- its messages are sync's to say, and these rows follow what sync tells. No foreign keys between
-- rows fed by different channels: either may come first.

CREATE TABLE account (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    version integer NOT NULL DEFAULT 1,  -- of the settings; sent with them
    imap_host text NOT NULL,
    imap_port integer NOT NULL,
    imap_security text NOT NULL,
    imap_username text NOT NULL,
    imap_verify_certificate boolean NOT NULL,
    smtp_host text NOT NULL,
    smtp_port integer NOT NULL,
    smtp_security text NOT NULL,
    smtp_username text NOT NULL,
    smtp_verify_certificate boolean NOT NULL,
    state text NOT NULL DEFAULT 'connecting',
    reason text,
    server_said text,
    revision bigint NOT NULL DEFAULT 0,  -- of the state
    progress_done bigint,
    progress_total bigint,
    progress_mailbox text,
    progress_revision bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- A deleted account stays as a tombstone: what is told of it afterwards is not kept.
    deleted_at timestamptz,
    forgotten_at timestamptz,  -- its mail, too, is gone from here
    PRIMARY KEY (tenant_id, account_id)
);
CREATE INDEX account_by_deleted_at ON account (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE mailbox (
    tenant_id uuid NOT NULL,
    mailbox_id uuid NOT NULL,
    account_id uuid NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    path text,  -- NULL: messages in it came before the mailbox itself; not shown
    name text NOT NULL DEFAULT '',
    delimiter text,
    role text,
    selectable boolean NOT NULL DEFAULT true,
    gone boolean NOT NULL DEFAULT false,
    message_count bigint NOT NULL DEFAULT 0,
    unread_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, mailbox_id)
);
CREATE INDEX mailbox_by_account ON mailbox (tenant_id, account_id);

CREATE TABLE message (
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    account_id uuid NOT NULL,
    -- Existence. Gone when vanished_revision is set and not older than attested_revision, the
    -- revision as of which a retelling saw it. What is gone keeps no content.
    vanished_revision bigint,
    vanished_at timestamptz,
    attested_revision bigint NOT NULL DEFAULT 0,
    -- State: told whole, the newest revision counts; 0: none was told yet.
    revision bigint NOT NULL DEFAULT 0,
    mailbox_id uuid,
    thread_id uuid,
    keywords text[] NOT NULL DEFAULT '{}',
    -- Content: comes once; NULL until then.
    received_at timestamptz,
    content_id bytea,
    subject text,
    sender_name text,
    sender_email text,
    rfc_message_id text,
    sent_at timestamptz,
    size_bytes bigint,
    preview text,
    has_html boolean,
    attachment_count integer,
    details json,  -- recipients, references, attachments, defects: shown, never searched here
    -- What is marked for removal is hidden, and comes back when the mark goes (RFC 9051 §2.3.2).
    listed boolean NOT NULL
        GENERATED ALWAYS AS (received_at IS NOT NULL AND mailbox_id IS NOT NULL
                             AND NOT keywords @> ARRAY['\Deleted']) STORED,
    unread boolean NOT NULL
        GENERATED ALWAYS AS (NOT keywords @> ARRAY['\Seen']) STORED,
    PRIMARY KEY (tenant_id, message_id),
    CONSTRAINT message_gone_keeps_no_content CHECK (
        vanished_revision IS NULL OR vanished_revision < attested_revision OR received_at IS NULL)
);
-- The newest messages of a mailbox, and of an account, are a walk along an index that holds
-- nothing hidden: no tombstones, no stubs.
CREATE INDEX message_by_mailbox
    ON message (tenant_id, mailbox_id, received_at DESC, message_id DESC) WHERE listed;
CREATE INDEX message_by_account
    ON message (tenant_id, account_id, received_at DESC, message_id DESC) WHERE listed;
-- All of an account's rows, hidden ones too: for sweeping and forgetting.
CREATE INDEX message_by_account_message_id ON message (tenant_id, account_id, message_id);
CREATE INDEX message_by_vanished_at ON message (vanished_at) WHERE vanished_at IS NOT NULL;

-- Retellings: which pages came. When all are there, what they did not show is gone.
CREATE TABLE retelling (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    generation uuid NOT NULL,
    as_of_revision bigint NOT NULL,  -- the least that any of its pages or its end said
    pages integer,  -- how many there are; NULL until the end was told
    seen int4multirange NOT NULL DEFAULT '{}',
    began_at timestamptz NOT NULL DEFAULT now(),
    swept_at timestamptz,
    PRIMARY KEY (tenant_id, account_id, generation)
);
CREATE INDEX retelling_by_began_at ON retelling (began_at);

ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON account TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON account TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

ALTER TABLE mailbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailbox FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON mailbox TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON mailbox TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE message FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON message TO api USING (true) WITH CHECK (true);
CREATE POLICY callers ON message TO api_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

ALTER TABLE retelling ENABLE ROW LEVEL SECURITY;
ALTER TABLE retelling FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON retelling TO api USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON account, mailbox, message, retelling TO api;
GRANT SELECT ON account, mailbox, message TO api_request;
-- A caller makes accounts, changes how they are reached, and marks them deleted; how an account
-- is doing follows sync, except that new settings are tried anew.
GRANT INSERT ON account TO api_request;
GRANT UPDATE (name, version, updated_at, deleted_at, state, reason, server_said,
    imap_host, imap_port, imap_security, imap_username, imap_verify_certificate,
    smtp_host, smtp_port, smtp_security, smtp_username, smtp_verify_certificate)
    ON account TO api_request;
