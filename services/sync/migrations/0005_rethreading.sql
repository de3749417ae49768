-- Threads can be made anew from what is kept of an account, beside the ones in use.

-- A name has another digest in each generation, so that the names of two stand side by side.
ALTER TABLE thread_name ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN thread_generation integer NOT NULL DEFAULT 0;  -- the one in use

-- The server's own id of a conversation (X-GM-THRID): no header tells it.
ALTER TABLE message ADD COLUMN conversation text;

-- Wishes for threads made anew. First the names are gathered as the next generation, then it comes
-- into use and each message is put where its names say; at last the old names are forgotten.
CREATE TABLE rethreading (
    account_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,    -- being made
    stage text NOT NULL DEFAULT 'gathering',    -- gathering, putting, forgetting
    done_up_to uuid,                -- the last message of the last page of this stage
    forgotten_up_to bytea,          -- the last name
    asked_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE rethreading ENABLE ROW LEVEL SECURITY;
ALTER TABLE rethreading FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON rethreading TO sync USING (true) WITH CHECK (true);
CREATE POLICY callers ON rethreading TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE ON rethreading TO sync;
