-- The position in a mailbox, whole; and by what a message is recognised without being read again.

ALTER TABLE mailbox
    ADD COLUMN highestmodseq bigint,        -- everything changed up to it is here (RFC 7162)
    ADD COLUMN server_id text,              -- MAILBOXID (RFC 8474): survives a rename
    ADD COLUMN subscribed boolean NOT NULL DEFAULT true,
    ADD COLUMN renumbered_at timestamptz;   -- set while messages are matched to their new UIDs

ALTER TABLE message
    ADD COLUMN email_id text,               -- EMAILID (RFC 8474), or X-GM-MSGID as `gm:…`
    ADD COLUMN match_key bytea,             -- of Message-ID, size and date
    ADD COLUMN last_uid bigint,             -- before it lost its place
    ADD COLUMN labels text[] NOT NULL DEFAULT '{}';

-- Only messages without a place are looked for by what they are.
DROP INDEX message_by_fingerprint;
CREATE INDEX message_adrift_by_email_id ON message (account_id, email_id) WHERE uid IS NULL;
CREATE INDEX message_adrift_by_match_key ON message (account_id, match_key) WHERE uid IS NULL;
CREATE INDEX message_adrift_by_fingerprint ON message (account_id, fingerprint) WHERE uid IS NULL;

-- What is written here is JSON that lives for milliseconds: compressing it costs more than it saves.
ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL;
