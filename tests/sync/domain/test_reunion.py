"""Which arrivals are messages we keep already."""

from uuid import UUID

from services.sync.domain.content_id import content_id, fingerprint
from services.sync.domain.reunion import Arrival, Seeker, reunite

HERE, THERE = UUID(int=1), UUID(int=2)


def seeker(number: int, like: bytes, mailbox: UUID | None = HERE) -> Seeker:
    return Seeker(UUID(int=100 + number), mailbox, like)


def test_twins_are_paired_in_the_order_of_their_uids() -> None:
    found = reunite(
        [Arrival(9, b"twin"), Arrival(4, b"twin"), Arrival(5, b"other")],
        [seeker(2, b"twin"), seeker(1, b"twin"), seeker(3, b"stranger")],
        HERE,
    )
    assert found == {4: UUID(int=101), 9: UUID(int=102)}


def test_who_was_last_seen_in_this_mailbox_comes_before_who_was_moved_here() -> None:
    found = reunite(
        [Arrival(1, b"twin")], [seeker(1, b"twin", THERE), seeker(2, b"twin", HERE)], HERE
    )
    assert found == {1: UUID(int=102)}


def test_a_draft_saved_again_is_another_message_although_its_header_is_the_same() -> None:
    header = b"Message-ID: <draft@example.org>\r\nSubject: Plan\r\n\r\n"
    first, second = header + b"one\r\n", header + b"two\r\n"
    assert content_id(first) == content_id(second)
    assert fingerprint(first) != fingerprint(second)


def test_a_move_between_servers_that_write_into_their_copy_changes_no_fingerprint() -> None:
    raw = b"Message-ID: <a@example.org>\r\nSubject: Plan\r\n\r\nBody\r\n"
    moved = raw.replace(b"Subject", b"X-UID: 7\r\nStatus: RO\r\nSubject").replace(b"\r\n", b"\n")
    assert fingerprint(moved) == fingerprint(raw)
