"""indexer, the memory: finds messages by what is in them.

Hears:   AccountRemoved, AccountRetold, MessagesSynced, MessagesFilled, MessagesRetold,
         MessagesChanged, MessagesVanished
Answers: SearchMessages
Commands: RetellAccount
Owns:    account, document, words_live, document_text, retelling, outbox
"""
