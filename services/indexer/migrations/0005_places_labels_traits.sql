-- A search can be told where to look (mailboxes, accounts, threads, labels), and counts what it finds.

-- Where the server has labels beside mailboxes (Gmail); in lower case. Known of what is told from
-- now on: `./just retell indexer` has the rest told again.
ALTER TABLE document ADD COLUMN labels text[] NOT NULL DEFAULT '{}';

-- What a message has beside its words, as `invitation` or `pdf`. NULL: it was kept before this was.
ALTER TABLE document_text
    ADD COLUMN traits text[],
    ADD COLUMN text_is_cut boolean NOT NULL DEFAULT false;  -- only its first 64 KiB are here

-- The walk by date through one mailbox, and the messages of a thread.
CREATE INDEX document_by_mailbox_received
    ON document (mailbox_id, received_at DESC, message_id DESC) WHERE mailbox_id IS NOT NULL;
CREATE INDEX document_by_thread ON document (thread_id) WHERE thread_id IS NOT NULL;

DROP FUNCTION find_messages(tsquery, text[], text[], timestamptz, timestamptz, uuid, integer);

-- Asked, inside the tenant and accounts of the session; NULL where there are none to see.
CREATE FUNCTION inside_caller(asked tsquery, tenant uuid, accounts uuid[]) RETURNS tsquery
LANGUAGE sql IMMUTABLE AS $$
    SELECT format($q$':tenant:%s'$q$, replace(tenant::text, '-', ''))::tsquery
           && string_agg(format($q$':account:%s'$q$, replace(one::text, '-', '')), ' | ')::tsquery
           && asked
      FROM unnest(accounts) AS one
$$;

-- How many messages the planner believes have these words.
CREATE FUNCTION expected_messages(inside tsquery) RETURNS float8
LANGUAGE plpgsql
SET search_path = indexer, pg_temp
AS $$
DECLARE
    explained json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM words_live WHERE words @@ %L::tsquery', inside)
       INTO explained;
    RETURN greatest(1, (explained -> 0 -> 'Plan' ->> 'Plan Rows')::float8);
END
$$;

-- Search, inside one tenant and the accounts of one caller. `@@` is not leakproof, so row-level
-- security would keep GIN from being used: hence a function that runs as the role `indexer`, whose
-- policy lets it see all, and that takes tenant and accounts from the session; what it is told of
-- accounts, mailboxes and threads can only narrow them. Whoever calls it reads what it names under
-- row-level security once more.
--
-- Newest first. A rare word is looked up in GIN and sorted; for a common one, walking by date meets
-- enough of them soon. Which it is, the planner's estimate says; where it was wrong, the walk gives
-- up and GIN answers. The answer is the same either way. Each statement looks at both tables of
-- words at once, so that a message on its way from one to the other is seen once.
CREATE FUNCTION find_messages(
    asked tsquery,  -- NULL: no word limits the answer
    required text[],  -- keywords
    forbidden text[],
    labelled text[],  -- each a label or a keyword
    some_accounts uuid[],  -- NULL: any, as the two that follow
    some_mailboxes uuid[],
    some_threads uuid[],
    other_mailboxes uuid[],  -- in none of these
    since timestamptz,  -- included
    before_at timestamptz,  -- with before_id, where the last page ended
    before_id uuid,
    wanted integer
) RETURNS TABLE (
    message_id uuid,
    account_id uuid,
    mailbox_id uuid,
    thread_id uuid,
    received_at timestamptz,
    keywords text[],
    labels text[],
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
     WHERE tenant_id = caller_tenant AND account_id = ANY (caller_accounts) AND removed_at IS NULL
       AND (some_accounts IS NULL OR account_id = ANY (some_accounts));
    IF caller_tenant IS NULL OR caller_accounts IS NULL THEN
        RETURN;
    END IF;

    IF some_threads IS NOT NULL THEN
        -- A thread has few messages: each is looked at.
        SELECT array_agg(message_id) INTO answers
          FROM (
            SELECT message_id
              FROM document
             WHERE thread_id = ANY (some_threads)
               AND tenant_id = caller_tenant AND account_id = ANY (caller_accounts)
               AND (received_at, message_id) < (before_at, before_id) AND received_at >= since
               AND has_content AND mailbox_id IS NOT NULL
               AND (some_mailboxes IS NULL OR mailbox_id = ANY (some_mailboxes))
               AND NOT mailbox_id = ANY (other_mailboxes)
               AND keywords @> required AND NOT keywords && forbidden
               AND labels || keywords @> labelled
               AND (asked IS NULL OR coalesce(
                   (SELECT w.words @@ asked FROM words_live AS w
                     WHERE w.message_id = document.message_id AND w.tenant_id = caller_tenant),
                   (SELECT w.words @@ asked FROM words_arriving AS w
                     WHERE w.message_id = document.message_id AND w.tenant_id = caller_tenant)))
             ORDER BY received_at DESC, message_id DESC
             LIMIT wanted
          ) AS newest;
        asked := NULL;
        estimate := 0;
    ELSIF asked IS NOT NULL THEN
        inside := inside_caller(asked, caller_tenant, caller_accounts);
        estimate := expected_messages(inside);
        -- Where the estimate is right, a quarter of this meets enough.
        patience := least(20000, 4 * wanted * (
            SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'words_live'::regclass
        ) / estimate);
    END IF;

    IF some_threads IS NULL AND (asked IS NULL OR estimate > 1000) THEN
        LOOP
            WITH stretch AS MATERIALIZED (
                SELECT along.* FROM (
                    SELECT d.* FROM unnest(caller_accounts) AS one (account_id)
                     CROSS JOIN LATERAL (
                        SELECT message_id, received_at, has_content, mailbox_id, keywords, labels
                          FROM document
                         WHERE some_mailboxes IS NULL
                           AND tenant_id = caller_tenant
                           AND account_id = one.account_id
                           AND (received_at, message_id) < (walked_at, walked_id)
                           AND received_at >= since
                         ORDER BY received_at DESC, message_id DESC
                         LIMIT slice
                     ) AS d
                    UNION ALL
                    SELECT d.* FROM unnest(some_mailboxes) AS one (mailbox_id)
                     CROSS JOIN LATERAL (
                        SELECT message_id, received_at, has_content, mailbox_id, keywords, labels
                          FROM document
                         WHERE mailbox_id = one.mailbox_id
                           AND tenant_id = caller_tenant
                           AND account_id = ANY (caller_accounts)
                           AND (received_at, message_id) < (walked_at, walked_id)
                           AND received_at >= since
                         ORDER BY received_at DESC, message_id DESC
                         LIMIT slice
                     ) AS d
                 ) AS along
                 ORDER BY received_at DESC, message_id DESC
                 LIMIT slice
            )
            SELECT count(*), min(received_at),
                   (array_agg(message_id ORDER BY received_at, message_id))[1],
                   array_agg(message_id ORDER BY received_at DESC, message_id DESC) FILTER (
                       WHERE has_content AND mailbox_id IS NOT NULL
                         AND NOT mailbox_id = ANY (other_mailboxes)
                         AND keywords @> required AND NOT keywords && forbidden
                         AND labels || keywords @> labelled
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
               AND (some_mailboxes IS NULL OR mailbox_id = ANY (some_mailboxes))
               AND NOT mailbox_id = ANY (other_mailboxes)
               AND keywords @> required AND NOT keywords && forbidden
               AND labels || keywords @> labelled
             ORDER BY received_at DESC, message_id DESC
             LIMIT wanted
          ) AS newest;
    END IF;

    RETURN QUERY
        SELECT message_id, account_id, mailbox_id, thread_id, received_at, keywords, labels,
               size_bytes, is_whole
          FROM document
         WHERE message_id = ANY (answers)
           AND tenant_id = caller_tenant
           AND account_id = ANY (caller_accounts)
         ORDER BY received_at DESC, message_id DESC
         LIMIT wanted;
END
$$;

-- About how many messages of the caller's have these words; GIN's statistics say it, no row is read.
CREATE FUNCTION estimate_messages(asked tsquery, some_accounts uuid[]) RETURNS float8
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = indexer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    caller_tenant constant uuid := nullif(current_setting('postbus.tenant', true), '')::uuid;
    caller_accounts uuid[] := nullif(current_setting('postbus.accounts', true), '')::uuid[];
BEGIN
    SELECT array_agg(account_id) INTO caller_accounts
      FROM account
     WHERE tenant_id = caller_tenant AND account_id = ANY (caller_accounts) AND removed_at IS NULL
       AND (some_accounts IS NULL OR account_id = ANY (some_accounts));
    IF caller_tenant IS NULL OR caller_accounts IS NULL THEN
        RETURN 0;
    END IF;
    RETURN expected_messages(inside_caller(asked, caller_tenant, caller_accounts));
END
$$;

REVOKE ALL ON FUNCTION inside_caller, expected_messages, find_messages, estimate_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inside_caller, expected_messages TO indexer;
GRANT EXECUTE ON FUNCTION find_messages, estimate_messages TO indexer_request;

-- A function given away must be owned by one that may create in the schema; only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
ALTER FUNCTION find_messages OWNER TO indexer;
ALTER FUNCTION estimate_messages OWNER TO indexer;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
