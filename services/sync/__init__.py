"""sync, the ear: keeps our copy of each mailbox equal to the server's.

Obeys:   ConnectSync, RemoveSync, RetellAccount, AuditMailbox, PauseSync, ResumeSync,
         CheckSync, SetSyncProfile, CarryIntent, FileSentCopy, FileSentCopies, KeepDraft,
         SeekMessage, ConfigureClient
Tells:   AccountChanged, AccountProgressed, AccountRemoved, AccountRetold, MailboxesSynced,
         MailboxRenumbered, MailboxAudited, MessagesSynced, MessagesFilled, MessagesRetold,
         MessagesChanged, MessagesVanished, IntentSettled, SentCopyFiled, ReportReceived,
         MessageSought
Answers: CountSyncRemains, FetchPart, ReadContent, ReadProofs, ReadStanding, ListQuarantine,
         TryImap, RedeemCode, IssueToken
Asks:    ReadSubmissionMime, PreviewSubmission
Hints:   AccountAsked, CopyProgressed, SlotWanted
Owns:    account, account_state, lease, replica, clock, mailbox, message, message_content,
         thread_name, tombstone, quarantine, retelling, rethreading, intent, sent_copy, draft_copy,
         oauth_grant, oauth_client, audit, account_rest, account_use, account_server,
         connection_slot, host_rest
Speaks:  IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051)

One process is either the `listen` role, which pulls, or the `answer` role, which hands out what
was kept; the same code, run apart, so that a first sync never delays reading.
"""
