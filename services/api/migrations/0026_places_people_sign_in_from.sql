-- From which networks somebody has signed in, so that they are told of a new one.

CREATE TABLE person_place (
    person_id uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    network text NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, network)
);
CREATE INDEX person_place_by_seen_at ON person_place (seen_at);

ALTER TABLE person_place ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_place FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON person_place TO api USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON person_place TO api;

-- What a message of Postbus says beside its link: from where somebody signed in.
ALTER TABLE system_mail ADD COLUMN details jsonb NOT NULL DEFAULT '{}';
