-- What is known of a message that lost its place: until when it was there, how long it is sought.

ALTER TABLE message
    ADD COLUMN last_seen_at timestamptz,    -- it was at its place then: a copy older than that is
                                            -- not where it went. NULL: it has its place
    ADD COLUMN sought_until timestamptz;    -- not given up before; its mailbox was renumbered

-- When the last round began that went through all mailboxes: what we keep of each that could be
-- read was there.
ALTER TABLE account_state ADD COLUMN round_began_at timestamptz;

-- What is on its way just now. Under FORCE the owner of the table would see none of it.
ALTER TABLE message NO FORCE ROW LEVEL SECURITY;
UPDATE message SET last_seen_at = greatest(kept_at, unplaced_at - interval '2 minutes')
 WHERE uid IS NULL;
ALTER TABLE message FORCE ROW LEVEL SECURITY;
