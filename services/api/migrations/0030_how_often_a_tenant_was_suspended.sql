-- Counts suspensions and resumptions of a tenant, so that the newest is known where it is obeyed.
ALTER TABLE tenant ADD COLUMN suspension_version bigint NOT NULL DEFAULT 0;
