-- For how many messages of its job an intent counts, where that is not how many it changes: what
-- undoes a change gives back only what was different before.

ALTER TABLE intent ADD COLUMN message_count integer;
