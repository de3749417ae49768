-- GIN reads all that it has of a word, though only a stretch of time is asked for: 50,000 messages
-- to find fifty of the newest. It skips whatever another condition of its own rules out; so it knows
-- time now, too: each message is in a period of three days, in one of 24, and in one of 194 (2^18, 2^21
-- and 2^24 seconds). The index of words is made anew for it.
CREATE FUNCTION periods_of(at timestamptz) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[
        floor(extract(epoch FROM at AT TIME ZONE 'UTC') / 262144)::integer,
        floor(extract(epoch FROM at AT TIME ZONE 'UTC') / 2097152)::integer + 100000000,
        floor(extract(epoch FROM at AT TIME ZONE 'UTC') / 16777216)::integer + 200000000]
$$;
REVOKE ALL ON FUNCTION periods_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION periods_of TO indexer, indexer_request;
SET LOCAL maintenance_work_mem = '256MB';
-- Searches go on meanwhile: the earlier index is let go only when the new one is there.
CREATE INDEX words_live_by_words_and_time ON words_live USING gin (words, periods_of(received_at));
ANALYZE words_live;
DROP INDEX words_live_by_words;
ALTER INDEX words_live_by_words_and_time RENAME TO words_live_by_words;

-- The statements are written so that one general plan is right whatever is asked: one index can serve each.
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
LANGUAGE plpgsql SECURITY DEFINER ROWS 50
SET search_path = indexer, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_sort = on  -- whatever is set inside ends with the function
AS $$
#variable_conflict use_column
DECLARE
    caller_tenant constant uuid := nullif(current_setting('postbus.tenant', true), '')::uuid;
    caller_accounts uuid[] := nullif(current_setting('postbus.accounts', true), '')::uuid[];
    inside tsquery;  -- what GIN is asked
    is_inside boolean;  -- whether the accounts are part of it
    everything float8;  -- how many messages the platform has
    share float8;  -- of all messages the caller's
    estimate float8;  -- of all messages how many have the words asked for
    entries float8;  -- of GIN's to read for that
    steps float8;  -- of the caller's to walk until enough of them are met
    -- Microseconds, as they were measured: to read one message's words, to visit what GIN found and see
    -- whether it fits, to read one entry of GIN, and to pass one message of a stretch.
    reading constant float8 := 5;
    visiting constant float8 := 8;
    entry constant float8 := 0.17;
    passing constant float8 := 0.1;
    looking_up float8;  -- what GIN is expected to cost
    spent float8 := 0;  -- what the walk has cost
    passed float8;  -- about how many of the caller's lie in the stretches so far; NULL: there is one
    visited float8 := 0;  -- how many GIN found in them
    found float8 := 0;  -- and how many of those fit
    hit integer;  -- how many in the one of now
    grown float8;  -- how many times as long as all before the next one has to be
    beginning timestamptz;  -- of the first of the periods
    period float8;  -- seconds of those that GIN is asked for,
    kind integer;  -- what their numbers begin with,
    periods integer[];  -- and which they are
    sample constant integer := 500;  -- messages that show how dense they lie
    newest_at timestamptz;  -- where the first stretch ends, and
    live_at timestamptz;  -- the newest in it that does not wait
    from_at timestamptz;  -- where the one of now begins; NULL: all that is left
    until_at timestamptz := 'infinity';  -- and ends, excluded
    is_common boolean := false;
    is_all boolean := false;  -- whether nothing lies before the stretch of now
    is_begun boolean := false;  -- whether what begins with something is asked for
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
        everything := expected_of_all();
        share := least(1, expected_of(in_accounts(caller_accounts)) / everything);
        estimate := expected_of(asked);
        -- Of what only says what is not there, GIN knows nothing.
        is_inside := share < 0.2 OR querytree(asked) IN ('', 'T');
        steps := wanted * everything / estimate;
        IF estimate * share > 4 * wanted THEN
            entries := CASE WHEN querytree(asked) IN ('', 'T') THEN everything ELSE estimate END;
            IF numnode(asked) > 1 AND querytree(asked) !~ '[(|]' AND querytree(asked) NOT IN ('', 'T') THEN
                -- Those of the rarest word that has to be there, whatever else is asked.
                SELECT min(expected_of(one::tsquery)) INTO entries
                  FROM regexp_split_to_table(querytree(asked), ' (?:&|<[^>]+>) ') AS one;
            END IF;
            is_begun := asked::text ~ ':[*]';
            -- What begins with something is read to its end, of all else what lies in the stretch.
            looking_up := entries * CASE WHEN is_inside THEN share ELSE 1 END
                          * CASE WHEN is_begun THEN 1 ELSE least(1, 2 * steps / (everything * share)) END
                          * CASE WHEN asked::text ~ '<[-0-9]' THEN 4 ELSE 1 END * entry  -- 4: to compare places
                          + 1.5 * steps * passing + 1.5 * wanted * visiting;
            is_common := steps * reading < looking_up;
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
            spent := spent + (fitting + 0.1 * met) * reading;
            lacking := wanted - cardinality(answers);
            IF spent / (cardinality(answers) + 1) * lacking > looking_up THEN
                is_common := false;  -- or only apart, or only in old mail
                steps := lacking * walked / (cardinality(answers) + 0.5);
                EXIT;
            END IF;
            slice := least(
                10000, slice * 4,
                greatest(100, 1.2 * lacking * walked / (cardinality(answers) + 1)))::integer;
        END LOOP;
        PERFORM set_config('enable_sort', 'on', true);
    END IF;

    IF asked IS NOT NULL AND NOT is_common THEN
        -- On from where a walk ended.
        lacking := wanted - cardinality(answers);
        inside := CASE WHEN is_inside THEN in_accounts(caller_accounts) && asked ELSE asked END;
        IF looking_up IS NOT NULL THEN
            -- The longer GIN takes each time it is asked, the less often it should be.
            passed := CASE WHEN is_begun
                           THEN greatest(1000, least(2 * steps, greatest(6000, least(20000, looking_up))))
                           ELSE greatest(500, least(1.5 * steps, 20000)) END;
            -- Where it begins in the account with most mail in it: no account has more.
            -- Also of what is arriving: it may be in the index until that is asked.
            SELECT max(greatest(newest, waiting)), max(newest), max(nth) INTO newest_at, live_at, from_at
              FROM (
                SELECT (SELECT received_at FROM words_live
                         WHERE account_id = one.account_id
                           AND received_at <= walked_at AND received_at >= since
                         ORDER BY received_at DESC
                         LIMIT 1) AS newest,
                       (SELECT received_at FROM words_live
                         WHERE account_id = one.account_id
                           AND received_at <= walked_at AND received_at >= since
                         ORDER BY received_at DESC
                        OFFSET sample / cardinality(caller_accounts) LIMIT 1) AS nth,
                       (SELECT received_at FROM words_arriving
                         WHERE tenant_id = caller_tenant AND account_id = one.account_id
                           AND received_at <= walked_at AND received_at >= since
                         ORDER BY received_at DESC
                         LIMIT 1) AS waiting
                  FROM unnest(caller_accounts) AS one (account_id)
              ) AS latest;
            -- As if mail had always come as it did of late; there are not so many: all of them.
            IF from_at IS NULL THEN
                SELECT min(least(oldest, waiting)) INTO from_at
                  FROM (
                    SELECT (SELECT received_at FROM words_live
                             WHERE account_id = one.account_id
                               AND received_at <= walked_at AND received_at >= since
                             ORDER BY received_at
                             LIMIT 1) AS oldest,
                           (SELECT received_at FROM words_arriving
                             WHERE tenant_id = caller_tenant AND account_id = one.account_id
                               AND received_at <= walked_at AND received_at >= since
                             ORDER BY received_at
                             LIMIT 1) AS waiting
                      FROM unnest(caller_accounts) AS one (account_id)
                  ) AS earliest;
                is_all := true;
            ELSE
                from_at := CASE
                    WHEN passed / sample * (live_at - from_at) > interval '50 years' THEN NULL
                    ELSE live_at - passed / sample * (live_at - from_at) END;
            END IF;
        END IF;
        LOOP
            EXIT WHEN looking_up IS NOT NULL AND newest_at IS NULL;  -- no mail is as old
            IF from_at IS NOT NULL THEN
                period := 262144;
                kind := 0;
                WHILE kind < 200000000
                      AND extract(epoch FROM least(newest_at, until_at) - from_at) > 32 * period LOOP
                    period := period * 8;
                    kind := kind + 100000000;
                END LOOP;
                -- Whole periods; and where they would be too many, all there is.
                beginning := to_timestamp(floor(extract(epoch FROM from_at) / period) * period);
                IF newest_at > from_at THEN
                    passed := passed * extract(epoch FROM newest_at - beginning)
                              / extract(epoch FROM newest_at - from_at);
                END IF;
                from_at := CASE WHEN extract(epoch FROM newest_at - beginning) < 400 * 16777216.0
                                THEN beginning END;
            END IF;
            IF from_at IS NOT NULL THEN
                SELECT array_agg(one + kind) INTO periods
                  FROM generate_series(
                    floor(extract(epoch FROM from_at) / period)::integer,
                    floor(extract(epoch FROM least(newest_at, until_at)) / period)::integer) AS one;
            END IF;
            -- `IS TRUE` keeps the planner from other indexes than GIN.
            WITH hits AS MATERIALIZED (
                SELECT message_id, received_at FROM words_live
                 WHERE from_at IS NULL
                   AND words @@ inside
                   AND (tenant_id = caller_tenant) IS TRUE
                   AND (account_id = ANY (caller_accounts)) IS TRUE
                   AND (received_at >= since AND received_at < until_at
                        AND (received_at, message_id) < (walked_at, walked_id)) IS TRUE
                UNION ALL
                SELECT message_id, received_at FROM words_live
                 WHERE from_at IS NOT NULL
                   AND words @@ inside
                   AND periods_of(received_at) && periods
                   AND (tenant_id = caller_tenant) IS TRUE
                   AND (account_id = ANY (caller_accounts)) IS TRUE
                   AND (received_at >= from_at AND received_at >= since AND received_at < until_at
                        AND (received_at, message_id) < (walked_at, walked_id)) IS TRUE
                UNION ALL
                SELECT waiting.message_id, waiting.received_at FROM unnest(caller_accounts) AS one (account_id)
                 CROSS JOIN LATERAL (
                    SELECT message_id, received_at, words FROM words_arriving
                     WHERE tenant_id = caller_tenant
                       AND account_id = one.account_id
                       AND (received_at, message_id) < (walked_at, walked_id)
                       AND received_at >= since
                     ORDER BY received_at DESC, message_id DESC
                     LIMIT 5000
                 ) AS waiting
                 WHERE waiting.words @@ inside
                   AND waiting.received_at >= CASE WHEN is_all THEN since ELSE coalesce(from_at, since) END
                   AND waiting.received_at < until_at
            ), fit AS (
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
                 LIMIT lacking
            )
            SELECT (SELECT count(*) FROM hits), coalesce((SELECT array_agg(message_id) FROM fit), '{}')
              INTO hit, matched;
            answers := answers || matched;
            lacking := lacking - cardinality(matched);
            EXIT WHEN lacking = 0 OR from_at IS NULL OR is_all OR from_at <= since;
            found := found + cardinality(matched);
            visited := visited + hit;
            -- If mail comes and fits as it did; twice, to be asked again but seldom.
            grown := greatest(0.5, 2 * lacking / (found + 0.5));
            until_at := from_at;
            IF visited / passed * visiting * (everything * share - passed)
               < (passing + visited / passed * visiting) * grown * passed
               OR newest_at = from_at OR grown * (newest_at - from_at) > interval '50 years' THEN
                from_at := NULL;  -- there are so few that all are visited sooner
            ELSE
                from_at := from_at - least(30, grown) * (newest_at - from_at);
                passed := passed * (1 + least(30, grown));
            END IF;
        END LOOP;
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
DROP FUNCTION expected_of_each;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
