"""api: the face. People and programs see their mail here, and say what is to be done.

Hears:    AccountChanged, AccountProgressed, AccountRemoved, AccountRetold, MailboxesSynced,
          MessagesSynced, MessagesFilled, MessagesRetold, MessagesChanged, MessagesVanished,
          MailboxRenumbered, MailboxAudited, IntentSettled, SubmissionChanged, SubmissionsChanged,
          SendingChanged
Commands: ConnectSync, RemoveSync, PauseSync, ResumeSync, CheckSync, RetellAccount, AuditMailbox,
          CarryIntent, ConnectSender, RemoveSender, HoldSender, SendMessage, SendMessages,
          ChangeSubmission, KeepDraft, ChangeSuppression, ConfigureClient, SetSyncProfile,
          SetSenderProfile
Asks:     CountSyncRemains, CountSenderRemains, CountIndexerRemains, SearchMessages,
          ExplainSearch, SuggestPeople, CountSearchable, ReadContent, FetchPart, ReadProofs,
          ReadStanding, ListQuarantine, PreviewSubmission, TryImap, TrySmtp,
          ListSuppressions, RedeemCode
Answers:  ReadUpload
Hints:    LogGrew
Owns:     tenant, person, membership, session, refresh_token, api_token, invitation, account,
          account_share, mailbox, message, retelling, audit_difference, submission, identity,
          draft, log_position,
          event_log, audit_log, audit_position, deletion, system_mail, mailed_secret,
          person_settings, upload, upload_piece, upload_use, idempotency_key, job, intent,
          intent_clock, intent_message, confirmed, saved_search, recent_search, webhook,
          webhook_secret, webhook_lane, webhook_delivery, oauth_provider, connect_link,
          outbox
Speaks:   HTTP, under /api/v1
"""
