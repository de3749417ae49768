"""api: the face. People and programs see their mail here, and say what is to be done.

Hears:    AccountChanged, AccountProgressed, AccountRemoved, AccountRetold, MailboxesSynced,
          MessagesSynced, MessagesFilled, MessagesRetold, MessagesChanged, MessagesVanished,
          SubmissionChanged
Commands: ConnectSync, RemoveSync, RetellAccount, ConnectSender, RemoveSender, SendMessage
Asks:     SearchMessages, ReadContent
Hints:    LogGrew
Owns:     tenant, person, membership, session, refresh_token, account, mailbox, message,
          retelling, submission, log_position, event_log, outbox
Speaks:   HTTP, under /api/v1
"""
