"""Proofs that nothing is missing: what sync says of a mailbox, and what the others answer of it.

Told by sync after it compared all of a mailbox with its server. Whoever keeps rows of the mailbox
compares them with 256 *buckets* of messages, without a message being named: the bucket of a message
is the last byte of its id, and each has the number of its messages and one hash, in which their
order plays no part. Every service computes both in SQL, with functions that PostgreSQL brings:

    bucket  get_byte(uuid_send(message_id), 15)
    hash    bit_xor(uuid_hash_extended(message_id, revision))

of the messages whose state names the mailbox and whose content is known.
"""

import struct
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Command, Event, Query

BUCKETS = 256
_BUCKET = struct.Struct(">Iq")


class Bucket(Struct, frozen=True):
    """How many messages are in a bucket, and the hash of their ids and revisions."""

    count: int = 0
    hash: int = 0


def pack_buckets(buckets: Iterable[tuple[int, Bucket]]) -> bytes:
    """Buckets, each with its number, as they travel: of each count and hash, in order."""
    packed = bytearray(BUCKETS * _BUCKET.size)
    for number, bucket in buckets:
        _BUCKET.pack_into(packed, number * _BUCKET.size, bucket.count, bucket.hash)
    return bytes(packed)


def unpack_buckets(packed: bytes) -> list[Bucket]:
    """The buckets by number; raises ValueError for what are no buckets."""
    if len(packed) != BUCKETS * _BUCKET.size:
        raise ValueError(f"{len(packed)} bytes are not {BUCKETS} buckets")
    return [Bucket(count, hashed) for count, hashed in _BUCKET.iter_unpack(packed)]


class MailboxAudited(Event, frozen=True, kw_only=True):
    """All of a mailbox was compared with its server: what there is as of a revision."""

    channel: ClassVar[str] = "mail.mailbox.audited"

    account_id: UUID
    mailbox_id: UUID
    as_of_revision: int  # no other audit of the account has the same
    server: int  # messages on the server
    kept: int  # of these in our copy
    quarantined: int  # of these on the server and not to be kept, each with a reason
    buckets: bytes  # count and hash of each: 256 times >Iq
    audited_at: datetime
    # What was told before this moment, every listener has heard. None: that is not known.
    heard_until: datetime | None = None


class Difference(Struct, frozen=True):
    """A bucket that a listener does not have as an audit said."""

    expected: Bucket
    since: datetime  # the first audit that said the same


def apart(audit: MailboxAudited, ours: Mapping[int, Bucket]) -> list[int]:
    """The buckets that are not as the audit says."""
    return [
        number
        for number, expected in enumerate(unpack_buckets(audit.buckets))
        if ours.get(number, Bucket()) != expected
    ]


def weigh(
    audit: MailboxAudited, differing: Collection[int], known: Mapping[int, Difference]
) -> tuple[dict[int, Difference], bool]:
    """These differing buckets since when, given those known from before; and whether one lasts.

    What is on its way makes a difference that is none. One lasts when an earlier audit expected the
    same of the bucket, and since then everything told before that audit has been heard: nothing
    that is still to come explains it.
    """
    expected = unpack_buckets(audit.buckets)
    found: dict[int, Difference] = {}
    for number in differing:
        before = known.get(number)
        if before is None or before.expected != expected[number]:
            before = Difference(expected[number], audit.audited_at)
        found[number] = before
    lasts = audit.heard_until is not None and any(
        difference.since < min(audit.heard_until, audit.audited_at) for difference in found.values()
    )
    return found, lasts


def second_look_seconds(audit: MailboxAudited, found: Mapping[int, Difference]) -> float:
    """How long to wait for the next look at these differences: the longer, the older they are."""
    oldest = min(difference.since for difference in found.values())
    return min(max(60.0, (audit.audited_at - oldest).total_seconds()), 3600.0)


class AuditMailbox(Command, frozen=True, kw_only=True):
    """Compare all of a mailbox with its server soon: a listener found a difference."""

    channel: ClassVar[str] = "sync.mailbox.audit"

    account_id: UUID
    mailbox_id: UUID
    wait_seconds: float = 60.0  # not sooner: what is on its way may still arrive


class ReadProofs(Query, frozen=True, kw_only=True):
    """What is on the server and what is kept of it, for each mailbox of an account."""

    channel: ClassVar[str] = "query.mailbox.proofs"
    deadline_seconds: ClassVar[float] = 10.0

    account_id: UUID


class MailboxProof(Struct, frozen=True, kw_only=True):
    """A mailbox as it is now, and when all of it was last compared with the server."""

    mailbox_id: UUID
    server: int  # messages, as the server said last
    kept: int
    quarantined: int
    proven_at: datetime | None = None  # None: not yet
    as_of_revision: int | None = None


class ProofsAnswer(Struct, frozen=True, kw_only=True):
    """One for each mailbox that can be read."""

    mailboxes: tuple[MailboxProof, ...] = ()


class CountSearchable(Query, frozen=True, kw_only=True):
    """How many messages of each mailbox of an account a search can find."""

    channel: ClassVar[str] = "query.mailbox.integrity"
    deadline_seconds: ClassVar[float] = 10.0

    account_id: UUID


class SearchableMailbox(Struct, frozen=True, kw_only=True):
    """How many messages of a mailbox are in the index."""

    mailbox_id: UUID
    searchable: int  # also those marked for removal, which a search leaves out


class SearchableAnswer(Struct, frozen=True, kw_only=True):
    """One for each mailbox that anything can be found in."""

    mailboxes: tuple[SearchableMailbox, ...] = ()
