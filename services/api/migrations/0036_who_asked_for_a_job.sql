-- Messages of a large job are gathered after the request has ended; what is logged of them is the
-- doing of whoever asked all the same.

ALTER TABLE job
    ADD COLUMN actor json DEFAULT nullif(current_setting('postbus.actor', true), '')::json;
