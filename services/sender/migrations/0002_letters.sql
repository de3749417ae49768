-- Messages that wait to be composed, and what can be said of when a message is sent.

ALTER TABLE submission ADD COLUMN expires_at timestamptz;
-- Whether the Date of the message is ours to set: it follows the time of sending.
ALTER TABLE submission ADD COLUMN date_is_ours boolean NOT NULL DEFAULT true;

-- A message whose files are not here yet: what was asked for, as it was asked. The submission has
-- no bytes meanwhile (piece_count 0), and nobody sends it.
CREATE TABLE letter (
    submission_id uuid PRIMARY KEY REFERENCES submission ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    command bytea NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX letter_by_due ON letter (due_at);
ALTER TABLE letter ALTER COLUMN command SET STORAGE EXTERNAL;

ALTER TABLE letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE letter FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON letter TO sender USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON letter TO sender;
