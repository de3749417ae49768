-- What is done with an account's messages that may have been sent, where no trace of them is found.
ALTER TABLE account ADD COLUMN in_doubt text NOT NULL DEFAULT 'hold'
    CONSTRAINT account_in_doubt_is_known CHECK (in_doubt IN ('hold', 'retry'));
GRANT UPDATE (in_doubt) ON account TO api_request;
