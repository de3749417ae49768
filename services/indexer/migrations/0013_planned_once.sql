-- A search spent much of its time before it read anything: each question to the statistics was an EXPLAIN
-- of its own in JSON. What the platform holds is read off the catalogue.

-- How many rows the planner believes to be in the table of words.
CREATE FUNCTION expected_of_all() RETURNS float8
LANGUAGE plpgsql
SET search_path = indexer, pg_temp
AS $$
DECLARE
    rows_then float8;
    pages_then integer;
BEGIN
    SELECT reltuples, relpages INTO rows_then, pages_then
      FROM pg_class WHERE oid = 'words_live'::regclass;
    IF rows_then < 0 OR pages_then = 0 THEN
        RETURN expected_of(NULL);  -- it was never counted
    END IF;
    -- As dense as it was when they were counted.
    RETURN greatest(1, rows_then / pages_then
                       * (pg_relation_size('words_live') / current_setting('block_size')::float8));
END
$$;

-- How many messages of the platform the planner believes to have this; NULL: how many there are.
CREATE FUNCTION expected_of(one tsquery) RETURNS float8
LANGUAGE plpgsql
SET search_path = indexer, pg_temp
AS $$
DECLARE
    explained text;  -- the first line: the topmost step of the plan
BEGIN
    EXECUTE 'EXPLAIN SELECT FROM words_live'
            || CASE WHEN one IS NULL THEN '' ELSE format(' WHERE words @@ %L::tsquery', one) END
       INTO explained;
    RETURN greatest(1, split_part(split_part(explained, ' rows=', 2), ' ', 1)::float8);
END
$$;
REVOKE ALL ON FUNCTION expected_of_all, expected_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expected_of_all, expected_of TO indexer;

-- The function is indexer's, so it is replaced as indexer, who may create only for this moment.
GRANT CREATE ON SCHEMA indexer TO indexer;
SET LOCAL ROLE indexer;
-- About how many messages of the caller's have these words; GIN's statistics say it, no row is read.
CREATE OR REPLACE FUNCTION estimate_messages(asked tsquery, some_accounts uuid[]) RETURNS float8
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
    RETURN expected_of(in_accounts(caller_accounts) && asked);
END
$$;
SET LOCAL ROLE indexer_owner;
REVOKE CREATE ON SCHEMA indexer FROM indexer;
