-- What an intent copied, so that it can be taken back: by group, where to and which UIDs there.

ALTER TABLE intent ADD COLUMN copies jsonb NOT NULL DEFAULT '{}';
