-- What somebody says of an account's servers, in place of what is known of their provider.

ALTER TABLE account
    ADD COLUMN own_profile jsonb NOT NULL DEFAULT '{}',  -- only what was said
    ADD COLUMN own_profile_version bigint NOT NULL DEFAULT 0;
GRANT UPDATE (own_profile, own_profile_version) ON account TO api_request;
