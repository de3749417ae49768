-- Search, inside one tenant and the accounts of one caller. `@@` is not leakproof, so row-level
-- security would keep GIN from being used: hence a function that runs as the role `indexer`, whose
-- policy lets it see all, and that takes tenant and accounts from the session and never from an
-- argument. Whoever calls it reads what it names under row-level security once more.
--
-- Newest first. A rare word is looked up in GIN and sorted; for a common one, walking by date meets
-- enough of them soon. Which it is, the planner's estimate says; where it was wrong, the walk gives
-- up and GIN answers. The answer is the same either way.
CREATE FUNCTION find_messages(
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
                         AND (asked IS NULL OR (
                             SELECT w.words @@ inside FROM words_live AS w
                              WHERE w.message_id = stretch.message_id
                                AND w.tenant_id = caller_tenant))
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
REVOKE ALL ON FUNCTION find_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_messages TO indexer_request;

-- A function given away must be owned by one that may create in the schema; only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
ALTER FUNCTION find_messages OWNER TO indexer;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
