"""Which arrivals are messages we keep already."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.sync.domain.content_id import content_id, fingerprint
from services.sync.domain.reunion import Arrival, Looks, Seeker, Sighting, moved, reunite

HERE, THERE = UUID(int=1), UUID(int=2)


def key(text: bytes) -> Looks:
    return Looks(match_key=text)


def seeker(
    number: int, looks: Looks, mailbox: UUID | None = HERE, uid: int | None = None
) -> Seeker:
    return Seeker(UUID(int=100 + number), mailbox, number if uid is None else uid, looks)


def test_twins_are_paired_in_the_order_of_their_uids() -> None:
    found = reunite(
        [Arrival(9, key(b"twin")), Arrival(4, key(b"twin")), Arrival(5, key(b"other"))],
        [seeker(2, key(b"twin")), seeker(1, key(b"twin")), seeker(3, key(b"stranger"))],
        HERE,
    )
    assert found == {4: UUID(int=101), 9: UUID(int=102)}


def test_twins_that_come_in_two_batches_are_paired_in_the_order_of_their_uids_too() -> None:
    seekers = [seeker(1, key(b"twin")), seeker(2, key(b"twin"))]
    newest = reunite([Arrival(9, key(b"twin"))], seekers, HERE)
    assert newest == {9: UUID(int=102)}
    assert reunite([Arrival(4, key(b"twin"))], seekers[:1], HERE) == {4: UUID(int=101)}


def test_who_was_last_seen_in_this_mailbox_comes_before_who_was_moved_here() -> None:
    found = reunite(
        [Arrival(1, key(b"twin"))],
        [seeker(3, key(b"twin"), THERE), seeker(2, key(b"twin"), HERE)],
        HERE,
    )
    assert found == {1: UUID(int=102)}


def test_what_the_server_calls_two_messages_is_two_however_alike_they_are() -> None:
    here, there = (
        Looks(email_id=name, match_key=b"same", fingerprint=b"same") for name in ("M1", "M2")
    )
    assert reunite([Arrival(1, here)], [seeker(1, there)], HERE) == {}
    assert reunite([Arrival(1, here)], [seeker(1, here)], HERE) == {1: UUID(int=101)}


def test_a_draft_is_not_known_by_its_listing_but_by_its_words() -> None:
    listed = Looks(match_key=b"same", draft=True)
    read = Looks(match_key=b"same", fingerprint=b"words", draft=True)
    saved_before = Looks(match_key=b"same", fingerprint=b"other words", draft=True)
    assert reunite([Arrival(1, listed)], [seeker(1, read)], HERE) == {}
    assert reunite([Arrival(1, read)], [seeker(1, saved_before)], HERE) == {}
    assert reunite([Arrival(1, read)], [seeker(1, read)], HERE) == {1: UUID(int=101)}


def test_no_message_is_found_twice() -> None:
    looks = Looks(email_id="M1", match_key=b"same", fingerprint=b"same")
    found = reunite([Arrival(1, looks), Arrival(2, looks)], [seeker(1, looks)], HERE)
    assert found == {2: UUID(int=101)}


def test_a_draft_saved_again_is_another_message_although_its_header_is_the_same() -> None:
    header = b"Message-ID: <draft@example.org>\r\nSubject: Plan\r\n\r\n"
    first, second = header + b"one\r\n", header + b"two\r\n"
    assert content_id(first) == content_id(second)
    assert fingerprint(first) != fingerprint(second)


def test_a_move_between_servers_that_write_into_their_copy_changes_no_fingerprint() -> None:
    raw = b"Message-ID: <a@example.org>\r\nSubject: Plan\r\n\r\nBody\r\n"
    moved = raw.replace(b"Subject", b"X-UID: 7\r\nStatus: RO\r\nSubject").replace(b"\r\n", b"\n")
    assert fingerprint(moved) == fingerprint(raw)


def sighting(number: int, twin: int, *, seconds: int) -> Sighting:
    return Sighting(
        message_id=UUID(int=100 + number),
        last_uid=number,
        twin_id=UUID(int=200 + twin),
        uid=twin,
        kept_at=datetime(2026, 11, 20, 10, tzinfo=UTC) + timedelta(seconds=seconds),
    )


def test_of_several_copies_the_last_is_where_a_message_went() -> None:
    found = moved([sighting(1, 9, seconds=0), sighting(1, 2, seconds=5)])
    assert found == {UUID(int=101): UUID(int=202)}


def test_equal_messages_that_moved_together_go_each_to_a_place_of_its_own() -> None:
    found = moved(sighting(number, twin, seconds=0) for number in (1, 2) for twin in (3, 4))
    assert found == {UUID(int=101): UUID(int=203), UUID(int=102): UUID(int=204)}
