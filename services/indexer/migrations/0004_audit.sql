-- What a search can find is held against what sync proved.

-- A retell asked for because something was missing here.
ALTER TABLE account ADD COLUMN retell_asked_at timestamptz;

-- Buckets of a mailbox (shared/contracts/audit.py) that are not here as an audit said. What is on
-- its way makes such a difference, too; one that lasts is mended by a retell.
CREATE TABLE audit_difference (
    mailbox_id uuid NOT NULL,
    bucket integer NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    expected_count bigint NOT NULL,
    expected_hash bigint NOT NULL,
    since timestamptz NOT NULL,  -- the first audit that expected this
    PRIMARY KEY (mailbox_id, bucket)
);
CREATE INDEX audit_difference_by_account ON audit_difference (account_id);

ALTER TABLE audit_difference ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_difference FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON audit_difference TO indexer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_difference TO indexer;

-- The messages that a search can find: in a mailbox, with words to be found by and a text to be
-- shown. Words stand in one of two tables, never in both. Seen as whoever asks may see.
CREATE VIEW findable WITH (security_invoker = true) AS
    SELECT message_id, tenant_id, account_id, mailbox_id, revision
      FROM document
     WHERE has_content AND mailbox_id IS NOT NULL
       AND EXISTS (SELECT FROM words_live WHERE words_live.message_id = document.message_id)
       AND EXISTS (SELECT FROM document_text WHERE document_text.message_id = document.message_id)
    UNION ALL
    SELECT message_id, tenant_id, account_id, mailbox_id, revision
      FROM document
     WHERE has_content AND mailbox_id IS NOT NULL
       AND EXISTS (SELECT FROM words_arriving
                    WHERE words_arriving.message_id = document.message_id)
       AND EXISTS (SELECT FROM document_text WHERE document_text.message_id = document.message_id);
GRANT SELECT ON findable TO indexer;

-- How many of these are in each mailbox of an account. Like find_messages it runs as the role
-- `indexer`, so that whether a message has words is asked of an index and no row is read for it;
-- tenant and accounts are the session's.
CREATE FUNCTION count_findable(asked uuid) RETURNS TABLE (mailbox_id uuid, messages bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = indexer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    caller_tenant constant uuid := nullif(current_setting('postbus.tenant', true), '')::uuid;
    caller_accounts constant uuid[] := nullif(current_setting('postbus.accounts', true), '')::uuid[];
BEGIN
    IF NOT EXISTS (SELECT FROM account
                    WHERE account_id = asked AND tenant_id = caller_tenant
                      AND account_id = ANY (caller_accounts) AND removed_at IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT mailbox_id, count(*) FROM findable
         WHERE tenant_id = caller_tenant AND account_id = asked
         GROUP BY mailbox_id;
END
$$;
REVOKE ALL ON FUNCTION count_findable FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_findable TO indexer_request;

-- A function given away must be owned by one that may create in the schema; only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
ALTER FUNCTION count_findable OWNER TO indexer;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
