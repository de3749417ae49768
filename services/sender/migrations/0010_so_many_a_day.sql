-- How many messages an account may send in a day, and what somebody says of its servers.

ALTER TABLE account
    ADD COLUMN own_profile jsonb NOT NULL DEFAULT '{}',  -- only what was said
    ADD COLUMN own_profile_version bigint NOT NULL DEFAULT 0;

-- The day (UTC) on which a submission has a place, where only so many may go in a day. Given once,
-- so that it is waited for once, and an attempt of the same day takes no other.
ALTER TABLE submission ADD COLUMN day date;

-- How many places of a day are taken, of today and of days to come.
CREATE TABLE day_use (
    account_id uuid NOT NULL,
    day date NOT NULL,
    tenant_id uuid NOT NULL,
    messages integer NOT NULL,
    PRIMARY KEY (account_id, day)
);
CREATE INDEX day_use_by_day ON day_use (day);

ALTER TABLE day_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE day_use FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON day_use TO sender USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON day_use TO sender;
