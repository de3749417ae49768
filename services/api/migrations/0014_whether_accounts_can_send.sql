-- Whether an account's submission server takes its mail: told by sender, beside what sync tells.
ALTER TABLE account ADD COLUMN sending text NOT NULL DEFAULT 'ready';
ALTER TABLE account ADD COLUMN sending_reason text;
ALTER TABLE account ADD COLUMN sending_server_said text;
ALTER TABLE account ADD COLUMN sending_retry_at timestamptz;
ALTER TABLE account ADD COLUMN sending_revision bigint NOT NULL DEFAULT 0;
