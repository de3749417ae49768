-- Times that this database came out of a backup. What each asks of sender is done once, before it serves.
CREATE TABLE restoration (
    restoration_id text PRIMARY KEY,
    noticed_at timestamptz NOT NULL DEFAULT now(),  -- since when the restored database is in use
    settled_at timestamptz
);
GRANT SELECT, UPDATE ON restoration TO sender;
