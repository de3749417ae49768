"""indexer, the memory: finds messages by what is in them.

Hears:   AccountRemoved, AccountRetold, MessagesSynced, MessagesFilled, MessagesRetold,
         MessagesChanged, MessagesVanished, MailboxAudited
Answers: CountIndexerRemains, SearchMessages, ExplainSearch, SuggestPeople,
         CountSearchable
Commands: RetellAccount, AuditMailbox
Owns:    account, document, words_live, words_arriving, document_text, retelling,
         rereading, audit_difference, outbox
"""
