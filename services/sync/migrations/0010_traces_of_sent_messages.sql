-- Whether the copy in Sent is ours: one that the server filed shows that it took the message.
ALTER TABLE sent_copy ADD COLUMN appended boolean;
