-- Drafts of which there is to be one copy, the newest, in the account's mailbox for drafts.
-- `message_id` names the copy that is wanted; `older`, all that may be there from before: noted
-- before anything is filed, so that a crash in between leaves nothing that is not looked for.
CREATE TABLE draft_copy (
    draft_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    message bytea,                 -- what to file, as it was told; NULL: nothing is to be there
    message_id text,               -- the Message-ID header
    older text[] NOT NULL DEFAULT '{}',
    told_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    trouble text,
    filed_at timestamptz
);
CREATE INDEX draft_copy_due ON draft_copy (due_at) WHERE filed_at IS NULL;
CREATE INDEX draft_copy_by_account ON draft_copy (account_id);

ALTER TABLE draft_copy ENABLE ROW LEVEL SECURITY;
ALTER TABLE draft_copy FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON draft_copy TO sync USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON draft_copy TO sync;
