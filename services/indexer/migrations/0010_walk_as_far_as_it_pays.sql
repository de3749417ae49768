-- Whether a word is looked up in GIN or walked for is judged anew after each step of the walk, by what the
-- walk has cost and found so far. Before, it went on for as long as GIN was expected to take, so that a
-- word only old mail is full of, or one that is common but rarely unread, cost both; and its steps grew
-- fourfold, so that the last one read far more than was lacking. The words of a step are read together,
-- in the order of their index, and no longer one by one.
--
-- The function is indexer's, so it is replaced as indexer, who may create only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
SET LOCAL ROLE indexer;
CREATE OR REPLACE FUNCTION find_messages(
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
SET enable_sort = on  -- whatever is set inside ends with the function
AS $$
#variable_conflict use_column
DECLARE
    caller_tenant constant uuid := nullif(current_setting('postbus.tenant', true), '')::uuid;
    caller_accounts uuid[] := nullif(current_setting('postbus.accounts', true), '')::uuid[];
    inside tsquery;  -- what is asked, inside the caller's tenant and accounts
    estimate float8;  -- how many messages have the words asked for
    steps float8;  -- to walk until enough of them are met
    looking_up float8;  -- what GIN is expected to cost; the measure is the reading of one message's words
    spent float8 := 0;  -- what the walk has cost
    is_common boolean := false;
    answers uuid[] := '{}';
    matched uuid[];
    lacking integer;
    slice integer := greatest(wanted * 2, 200);
    walked integer := 0;
    met integer;
    fitting integer;  -- of those met: all but their words is as asked
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
    ELSIF asked IS NOT NULL THEN
        inside := inside_caller(asked, caller_tenant, caller_accounts);
        estimate := expected_messages(inside);
        -- Of each row it finds, GIN's part is small, save where it has to read words, too: to say where
        -- in a message they stand.
        looking_up := estimate * CASE WHEN asked::text ~ '<[-0-9]|:\*?[A-D]' THEN 1 ELSE 0.25 END;
        IF looking_up > wanted THEN
            steps := wanted / estimate
                     * expected_messages(inside_caller(NULL, caller_tenant, caller_accounts));
            is_common := looking_up > steps;
            -- Few steps are gone at once; of many first a third, for the estimate may be wrong.
            slice := least(10000, CASE WHEN steps > 500 THEN steps / 3 ELSE 1.3 * steps + 20 END)::integer;
        END IF;
    END IF;

    IF some_threads IS NULL AND (asked IS NULL OR is_common) THEN
        -- Along the index, in its order: where many are wanted, the planner would rather read all there
        -- are, and sort them.
        PERFORM set_config('enable_sort', 'off', true);
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
            ), fit AS MATERIALIZED (
                SELECT message_id, received_at
                  FROM stretch
                 WHERE has_content AND mailbox_id IS NOT NULL
                   AND NOT mailbox_id = ANY (other_mailboxes)
                   AND keywords @> required AND NOT keywords && forbidden
                   AND labels || keywords @> labelled
            ), agreeing AS (
                -- `IS TRUE` keeps the planner from GIN.
                SELECT message_id, received_at FROM words_live
                 WHERE message_id = ANY (
                           (SELECT array_agg(message_id) FROM fit WHERE asked IS NOT NULL)::uuid[])
                   AND tenant_id = caller_tenant AND (words @@ asked) IS TRUE
                UNION ALL
                SELECT message_id, received_at FROM words_arriving
                 WHERE message_id = ANY (
                           (SELECT array_agg(message_id) FROM fit WHERE asked IS NOT NULL)::uuid[])
                   AND tenant_id = caller_tenant AND (words @@ asked) IS TRUE
                UNION ALL
                SELECT message_id, received_at FROM fit WHERE asked IS NULL
            )
            SELECT (SELECT count(*) FROM stretch), (SELECT count(*) FROM fit),
                   last.received_at, last.message_id,
                   (SELECT array_agg(message_id ORDER BY received_at DESC, message_id DESC) FROM agreeing)
              INTO met, fitting, walked_at, walked_id, matched
              FROM (VALUES (1)) AS once
              LEFT JOIN (SELECT received_at, message_id FROM stretch
                          ORDER BY received_at, message_id LIMIT 1) AS last ON true;
            answers := answers || coalesce(matched, '{}');
            EXIT WHEN cardinality(answers) >= wanted OR met < slice;
            IF asked IS NULL THEN
                slice := least(slice * 4, 10000);
                CONTINUE;
            END IF;
            walked := walked + met;
            spent := spent + fitting + 0.1 * met;
            lacking := wanted - cardinality(answers);
            IF spent / (cardinality(answers) + 1) * lacking > looking_up THEN
                is_common := false;  -- or only apart, or only in old mail
                EXIT;
            END IF;
            slice := least(
                10000, slice * 4,
                greatest(100, 1.2 * lacking * walked / (cardinality(answers) + 1)))::integer;
        END LOOP;
        PERFORM set_config('enable_sort', 'on', true);
    END IF;

    IF asked IS NOT NULL AND NOT is_common THEN
        -- `IS TRUE` keeps the planner from any other index than GIN.
        WITH hits AS MATERIALIZED (
            SELECT message_id, received_at FROM words_live
             WHERE words @@ inside
               AND (tenant_id = caller_tenant) IS TRUE
               AND (account_id = ANY (caller_accounts)) IS TRUE
               AND (received_at, message_id) < (before_at, before_id)
               AND received_at >= since
            UNION ALL
            SELECT waiting.message_id, waiting.received_at FROM unnest(caller_accounts) AS one (account_id)
             CROSS JOIN LATERAL (
                SELECT message_id, received_at, words FROM words_arriving
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
            -- Newest first, so that only as many documents are looked at as it takes.
            SELECT hit.message_id
              FROM (SELECT message_id, received_at FROM hits
                     ORDER BY received_at DESC, message_id DESC) AS hit
             CROSS JOIN LATERAL (
                SELECT FROM document
                 WHERE document.message_id = hit.message_id
                   AND has_content AND mailbox_id IS NOT NULL
                   AND (some_mailboxes IS NULL OR mailbox_id = ANY (some_mailboxes))
                   AND NOT mailbox_id = ANY (other_mailboxes)
                   AND keywords @> required AND NOT keywords && forbidden
                   AND labels || keywords @> labelled
             ) AS there
             ORDER BY hit.received_at DESC, hit.message_id DESC
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
SET LOCAL ROLE indexer_owner;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
