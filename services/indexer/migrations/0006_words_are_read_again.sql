-- Words are made by rules that may change. Which rules those of an account were made by is known; a
-- message keeps its old words until its new ones take their place in the same transaction.

-- Accounts of before have the first rules. New ones say theirs (domain/tokenise.py).
ALTER TABLE account ADD COLUMN words_version integer NOT NULL DEFAULT 1;
CREATE INDEX account_by_words_version ON account (words_version) WHERE removed_at IS NULL;

-- How far the reading of an account's messages from what is kept of them came. Messages that come
-- meanwhile are read by the new rules anyway.
CREATE TABLE rereading (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    words_version integer NOT NULL,  -- of the rules by which it reads; others begin anew
    -- The last message that was read, newest first; what is behind it is still to be read.
    after_received_at timestamptz NOT NULL DEFAULT 'infinity',
    after_message_id uuid NOT NULL DEFAULT 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    messages bigint NOT NULL DEFAULT 0,  -- read so far
    rewritten bigint NOT NULL DEFAULT 0,  -- whose words were others
    begun_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE rereading ENABLE ROW LEVEL SECURITY;
ALTER TABLE rereading FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON rereading TO indexer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON rereading TO indexer;
