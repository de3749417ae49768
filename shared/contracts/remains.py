"""What is left of a tenant that was deleted: asked of each service, counted when it is asked."""

from typing import ClassVar

from msgspec import Struct

from shared.contracts.envelope import Query


class Remains(Struct, frozen=True, kw_only=True):
    """How many rows of the caller's tenant a service has. That an account was there is no row."""

    rows: int


class CountSyncRemains(Query, frozen=True, kw_only=True):
    """What sync has of the caller's tenant."""

    channel: ClassVar[str] = "query.sync_remains.count"
    deadline_seconds: ClassVar[float] = 10.0


class CountSenderRemains(Query, frozen=True, kw_only=True):
    """What sender has of the caller's tenant."""

    channel: ClassVar[str] = "query.sender_remains.count"
    deadline_seconds: ClassVar[float] = 10.0


class CountIndexerRemains(Query, frozen=True, kw_only=True):
    """What indexer has of the caller's tenant."""

    channel: ClassVar[str] = "query.indexer_remains.count"
    deadline_seconds: ClassVar[float] = 10.0
