-- Mail of a first sync arrives faster than GIN takes it in row by row. Its words wait here, without
-- GIN, and go into words_live in bulk. A message's words are in one of the two tables.
CREATE TABLE words_arriving (
    message_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    words tsvector NOT NULL
) WITH (
    -- Rows stay for seconds: what they leave behind is in the way of who looks for the newest.
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1
);
CREATE INDEX words_arriving_by_account_received
    ON words_arriving (tenant_id, account_id, received_at DESC, message_id DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON words_arriving TO indexer;
GRANT SELECT ON words_arriving TO indexer_request;
ALTER TABLE words_arriving ENABLE ROW LEVEL SECURITY;
ALTER TABLE words_arriving FORCE ROW LEVEL SECURITY;
CREATE POLICY own_work ON words_arriving TO indexer USING (true) WITH CHECK (true);
CREATE POLICY callers ON words_arriving TO indexer_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')::uuid[])::uuid[])
);

DO $$
BEGIN
    -- pglz works long on a tsvector and then finds nothing to save; to save half of a text it takes
    -- more time than all else that is done to store one.
    IF 'lz4' = ANY (SELECT unnest(enumvals) FROM pg_settings
                     WHERE name = 'default_toast_compression') THEN
        ALTER TABLE words_arriving ALTER COLUMN words SET COMPRESSION lz4;
    ELSE
        ALTER TABLE words_arriving ALTER COLUMN words SET STORAGE EXTERNAL;
        ALTER TABLE words_live ALTER COLUMN words SET STORAGE EXTERNAL;
        ALTER TABLE document_text ALTER COLUMN body SET STORAGE EXTERNAL;
    END IF;
END
$$;

-- How long GIN's pending list may grow is up to who writes: live mail keeps to the server's setting,
-- whole batches go into the index at once.
ALTER INDEX words_live_by_words RESET (gin_pending_list_limit);

-- Only the owner of an index may have its pending list put in order.
CREATE FUNCTION put_words_in_order() RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = indexer, pg_temp
AS $$
    SELECT gin_clean_pending_list('words_live_by_words')
$$;
REVOKE ALL ON FUNCTION put_words_in_order FROM PUBLIC;
GRANT EXECUTE ON FUNCTION put_words_in_order TO indexer;

-- Search, as before, now also in what is arriving: walking by date finds it there; GIN's answer is
-- joined by a look at the newest 5,000 rows of each account that wait. Each statement looks at both
-- tables at once, so that a message on its way from one to the other is seen once.
--
-- The function is indexer's, so it is replaced as indexer, who may create only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
SET LOCAL ROLE indexer;
CREATE OR REPLACE FUNCTION find_messages(
    asked tsquery,  -- NULL: no word limits the answer
    required text[],
    forbidden text[],
    since timestamptz,  -- included
    before_at timestamptz,  -- with before_id, where the last page ended
    before_id uuid,
    wanted integer
) RETURNS TABLE (
    message_id uuid,
    received_at timestamptz,
    keywords text[],
    size_bytes bigint,
    is_whole boolean
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = indexer, pg_temp
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    caller_tenant constant uuid := nullif(current_setting('postbus.tenant', true), '')::uuid;
    caller_accounts uuid[] := nullif(current_setting('postbus.accounts', true), '')::uuid[];
    inside tsquery;  -- what is asked, inside the caller's tenant and accounts
    estimate float8;
    explained json;
    patience float8;  -- how many rows to walk before giving up
    answers uuid[] := '{}';
    matched uuid[];
    slice integer := greatest(wanted * 2, 200);
    walked integer := 0;
    met integer;
    walked_at timestamptz := before_at;
    walked_id uuid := before_id;
BEGIN
    SELECT array_agg(account_id) INTO caller_accounts
      FROM account
     WHERE tenant_id = caller_tenant AND account_id = ANY (caller_accounts) AND removed_at IS NULL;
    IF caller_tenant IS NULL OR caller_accounts IS NULL THEN
        RETURN;
    END IF;

    IF asked IS NOT NULL THEN
        SELECT format($q$':tenant:%s'$q$, replace(caller_tenant::text, '-', ''))::tsquery
               && string_agg(format($q$':account:%s'$q$, replace(one::text, '-', '')), ' | ')::tsquery
               && asked
          INTO inside
          FROM unnest(caller_accounts) AS one;
        EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM words_live WHERE words @@ %L::tsquery', inside)
           INTO explained;
        estimate := greatest(1, (explained -> 0 -> 'Plan' ->> 'Plan Rows')::float8);
        -- Where the estimate is right, a quarter of this meets enough.
        patience := least(20000, 4 * wanted * (
            SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'words_live'::regclass
        ) / estimate);
    END IF;

    IF asked IS NULL OR estimate > 1000 THEN
        LOOP
            WITH stretch AS MATERIALIZED (
                SELECT d.* FROM unnest(caller_accounts) AS one (account_id)
                 CROSS JOIN LATERAL (
                    SELECT message_id, received_at, has_content, mailbox_id, keywords
                      FROM document
                     WHERE tenant_id = caller_tenant
                       AND account_id = one.account_id
                       AND (received_at, message_id) < (walked_at, walked_id)
                       AND received_at >= since
                     ORDER BY received_at DESC, message_id DESC
                     LIMIT slice
                 ) AS d
                 ORDER BY received_at DESC, message_id DESC
                 LIMIT slice
            )
            SELECT count(*), min(received_at),
                   (array_agg(message_id ORDER BY received_at, message_id))[1],
                   array_agg(message_id ORDER BY received_at DESC, message_id DESC) FILTER (
                       WHERE has_content AND mailbox_id IS NOT NULL
                         AND keywords @> required AND NOT keywords && forbidden
                         AND (asked IS NULL OR coalesce(
                             (SELECT w.words @@ inside FROM words_live AS w
                               WHERE w.message_id = stretch.message_id
                                 AND w.tenant_id = caller_tenant),
                             (SELECT w.words @@ inside FROM words_arriving AS w
                               WHERE w.message_id = stretch.message_id
                                 AND w.tenant_id = caller_tenant)))
                   )
              INTO met, walked_at, walked_id, matched
              FROM stretch;
            answers := answers || coalesce(matched, '{}');
            walked := walked + met;
            EXIT WHEN cardinality(answers) >= wanted OR met < slice;
            IF asked IS NOT NULL AND walked >= patience THEN
                estimate := 0;  -- it was wrong, or the words are common only apart, or in old mail
                EXIT;
            END IF;
            slice := least(slice * 4, 10000);
        END LOOP;
    END IF;

    IF asked IS NOT NULL AND estimate <= 1000 THEN
        -- `IS TRUE` keeps the planner from any other index than GIN.
        WITH hits AS MATERIALIZED (
            SELECT message_id FROM words_live
             WHERE words @@ inside
               AND (tenant_id = caller_tenant) IS TRUE
               AND (account_id = ANY (caller_accounts)) IS TRUE
               AND (received_at, message_id) < (before_at, before_id)
               AND received_at >= since
            UNION ALL
            SELECT waiting.message_id FROM unnest(caller_accounts) AS one (account_id)
             CROSS JOIN LATERAL (
                SELECT message_id, words FROM words_arriving
                 WHERE tenant_id = caller_tenant
                   AND account_id = one.account_id
                   AND (received_at, message_id) < (before_at, before_id)
                   AND received_at >= since
                 ORDER BY received_at DESC, message_id DESC
                 LIMIT 5000
             ) AS waiting
             WHERE waiting.words @@ inside
        )
        SELECT array_agg(message_id) INTO answers
          FROM (
            SELECT message_id
              FROM hits JOIN document USING (message_id)
             WHERE has_content AND mailbox_id IS NOT NULL
               AND keywords @> required AND NOT keywords && forbidden
             ORDER BY received_at DESC, message_id DESC
             LIMIT wanted
          ) AS newest;
    END IF;

    RETURN QUERY
        SELECT message_id, received_at, keywords, size_bytes, is_whole
          FROM document
         WHERE message_id = ANY (answers)
           AND tenant_id = caller_tenant
           AND account_id = ANY (caller_accounts)
         ORDER BY received_at DESC, message_id DESC
         LIMIT wanted;
END
$$;
SET LOCAL ROLE indexer_owner;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
