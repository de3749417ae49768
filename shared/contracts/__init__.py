"""The one catalogue of what services say to each other.

Facts (`mail.…`), commands (`sync.…`, `sender.…`), queries (`query.…`) and hints (`hint.…`)
are msgspec Structs; each names its channel. Who tells and who hears what is in `catalogue`.
Contracts only grow: docs/schemas holds the promise, tests hold us to it.
"""
