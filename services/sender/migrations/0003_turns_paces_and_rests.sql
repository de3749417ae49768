-- Whose turn it is, how fast, and who rests; found without looking at all that waits.

-- An account's next submissions, and with a jump from account to account, who has any. One whose
-- files are not here yet (without pieces) is not sent.
CREATE INDEX submission_by_turn ON submission (tenant_id, account_id, due_at, submission_id)
    WHERE stage = 'waiting' AND due_at IS NOT NULL AND piece_count > 0;

-- What is under way, by account.
CREATE INDEX submission_in_hand ON submission (tenant_id, account_id) WHERE stage <> 'waiting';

-- When a submission may go where only so many a minute may. Kept once it is given, so that it is
-- waited for once; an attempt uses it up.
ALTER TABLE submission ADD COLUMN slot_at timestamptz;

-- A server that does not serve an account is asked for the account, not for each message: until
-- `rests_until` nothing of it is tried. `trouble` is what was told last; NULL: it can send.
ALTER TABLE account ADD COLUMN revision bigint NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN failures integer NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN rests_until timestamptz;
ALTER TABLE account ADD COLUMN trouble text;
ALTER TABLE account ADD COLUMN trouble_said text;

-- The next free moment of an account, alone ('') or to one domain, where only so many may go.
CREATE TABLE pace (
    account_id uuid NOT NULL,
    domain text NOT NULL,
    tenant_id uuid NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, domain)
);
CREATE INDEX pace_by_next ON pace (next_at);

-- What a submission server bears, learnt from what it said. It is nobody's: one server speaks
-- with many tenants.
CREATE TABLE submission_server (
    host text NOT NULL,
    port integer NOT NULL,
    messages_per_session integer NOT NULL,
    learnt_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, port),
    CONSTRAINT submission_server_takes_some CHECK (messages_per_session > 0)
);

ALTER TABLE pace ENABLE ROW LEVEL SECURITY;
ALTER TABLE pace FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON pace TO sender USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON pace, submission_server TO sender;
