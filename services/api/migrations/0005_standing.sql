-- Whether an account's owner wants its server left alone. sync obeys, and tells when it does.

ALTER TABLE account
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    ADD COLUMN pause_version bigint NOT NULL DEFAULT 0;  -- of pauses and resumptions; sent with them

GRANT UPDATE (paused, pause_version) ON account TO api_request;
