-- What somebody says of an account's server, in place of what is known of its provider.

ALTER TABLE account
    ADD COLUMN own_profile jsonb NOT NULL DEFAULT '{}',  -- only what was said
    ADD COLUMN own_profile_version bigint NOT NULL DEFAULT 0;
GRANT SELECT (own_profile) ON account TO sync_request;
