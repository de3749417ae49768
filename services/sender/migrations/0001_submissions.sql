-- Accounts we may send for, submissions on their way, and what became of them.

-- How an account's submission server is reached. The newest version counts; an account that
-- was removed stays as a tombstone, because its id is never used again.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    version bigint NOT NULL,
    email text,
    host text,
    port integer,
    security text,
    username text,
    verify_certificate boolean,
    sealed bytea,
    connected_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    CONSTRAINT account_is_reachable_until_removed CHECK (
        removed_at IS NOT NULL
        OR num_nulls(email, host, port, security, username, verify_certificate, sealed) = 0),
    CONSTRAINT account_keeps_no_secret_once_removed CHECK (removed_at IS NULL OR sealed IS NULL)
);

-- Our duty to deliver one message.
--   stage  waiting       nobody works on it
--          sending       leased; nothing was handed over yet, so it may be begun anew
--          transmitting  the final dot may have left us: never sent again without evidence
-- due_at is NULL where nothing is left to do. The fence counts owners: an owner that lost
-- its lease can write nothing more. A lease that ends in `transmitting` is settled as
-- uncertain under the same fence, so that its last owner, if it lives, may still say better.
CREATE TABLE submission (
    submission_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    state text NOT NULL,
    stage text NOT NULL DEFAULT 'waiting',
    revision bigint NOT NULL DEFAULT 1,
    message_id_header text NOT NULL,
    sender_email text NOT NULL,
    size_bytes bigint NOT NULL,
    piece_count integer NOT NULL,
    needs_smtputf8 boolean NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    reason text,
    server_said text,
    filed boolean NOT NULL DEFAULT false,
    due_at timestamptz,
    lease_owner uuid,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    first_attempt_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT submission_stage_is_known CHECK (stage IN ('waiting', 'sending', 'transmitting')),
    CONSTRAINT submission_is_leased_while_worked_on CHECK (
        (stage = 'waiting') = (lease_until IS NULL) AND (lease_until IS NULL) = (lease_owner IS NULL))
);
CREATE INDEX submission_by_tenant_account ON submission (tenant_id, account_id);
CREATE INDEX submission_by_due ON submission (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX submission_by_lease ON submission (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX submission_by_doubt ON submission (tenant_id, account_id) WHERE state = 'uncertain';
CREATE INDEX submission_by_settled ON submission (settled_at)
    WHERE settled_at IS NOT NULL AND piece_count > 0;

-- One recipient of the envelope and what became of the message there. `handed_over` says that
-- the server took the recipient and the message was on its way to it when the dot was due.
CREATE TABLE recipient (
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    number integer NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    email text NOT NULL,
    fate text NOT NULL DEFAULT 'waiting',
    code integer,
    enhanced_code text,
    server_said text,
    handed_over boolean NOT NULL DEFAULT false,
    PRIMARY KEY (submission_id, number)
);

-- The log of attempts, for people who ask what happened.
CREATE TABLE attempt (
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    number integer NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    state text NOT NULL,
    phase text,
    reason text,
    server_said text,
    PRIMARY KEY (submission_id, number)
);

-- The frozen bytes, in pieces of 256 KiB. They are the only copy until one is in Sent.
CREATE TABLE mime_piece (
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    number integer NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (submission_id, number)
);
-- Attachments are compressed already, and base64 gains little.
ALTER TABLE mime_piece ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text NOT NULL,
    subject text NOT NULL,
    event_id uuid NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_lane_position ON outbox (lane, position);

ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE account FORCE ROW LEVEL SECURITY;
ALTER TABLE submission ENABLE ROW LEVEL SECURITY;
ALTER TABLE submission FORCE ROW LEVEL SECURITY;
ALTER TABLE recipient ENABLE ROW LEVEL SECURITY;
ALTER TABLE recipient FORCE ROW LEVEL SECURITY;
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt FORCE ROW LEVEL SECURITY;
ALTER TABLE mime_piece ENABLE ROW LEVEL SECURITY;
ALTER TABLE mime_piece FORCE ROW LEVEL SECURITY;

CREATE POLICY own_work ON account TO sender USING (true) WITH CHECK (true);
CREATE POLICY own_work ON submission TO sender USING (true) WITH CHECK (true);
CREATE POLICY own_work ON recipient TO sender USING (true) WITH CHECK (true);
CREATE POLICY own_work ON attempt TO sender USING (true) WITH CHECK (true);
CREATE POLICY own_work ON mime_piece TO sender USING (true) WITH CHECK (true);

CREATE POLICY callers ON submission TO sender_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY (
        (SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));
CREATE POLICY callers ON mime_piece TO sender_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY (
        (SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE
   ON account, submission, recipient, attempt, mime_piece TO sender;
GRANT SELECT, INSERT, DELETE ON outbox TO sender;
-- Relaying locks the rows it publishes (FOR UPDATE SKIP LOCKED), which needs the right to update.
GRANT UPDATE ON outbox TO sender;
-- All that is asked on behalf of a caller: the frozen bytes.
GRANT SELECT ON submission, mime_piece TO sender_request;
