-- A suspended tenant's messages stay where they are. The newest `hold_version` counts.
ALTER TABLE account ADD COLUMN held boolean NOT NULL DEFAULT false;
ALTER TABLE account ADD COLUMN hold_version bigint NOT NULL DEFAULT 0;
