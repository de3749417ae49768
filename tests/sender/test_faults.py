"""Whatever fails, and whenever: nothing is lost, and nothing is handed over twice by us."""

import ssl
from collections import Counter
from uuid import UUID

import pytest

from shared.contracts.account import Security
from shared.contracts.mail import Address
from shared.contracts.submission import SubmissionState
from tests.sender.conftest import Bench
from tests.sender.dying import Killing, Rows, in_a_hurry, until_settled
from tests.sender.faulty import (
    KILLS,
    SIGNING_IN,
    Fault,
    FaultyServer,
    Lot,
    Phase,
    lots,
    lots_of_sessions,
)
from tests.servers.certificate import self_signed

_ENVIRONMENT = {
    "SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT": "8",
    "SENDER_DOT_SECONDS": "10",
    "LOG_LEVEL": "ERROR",
}
_TEXT = "At noon, where we met last time?\n" * 80


async def the_fates_of(
    bench: Bench, tls: ssl.SSLContext, drawn: list[Lot], of_sessions: list[Lot]
) -> None:
    """Send one message for each lot, and hold what became of it against the receiver's book."""
    killing = Killing(bench, **_ENVIRONMENT)
    async with FaultyServer(drawn, of_sessions, tls, killing.kill).running() as server:
        ids: dict[UUID, int] = {}
        async with bench.sender(sending_enabled=False):
            await bench.connect(port=server.port, security=Security.STARTTLS)
            for number in range(len(drawn)):
                command = bench.message(
                    sender=Address("Ada", f"ada+{number}@example.com"), text=_TEXT
                )
                await bench.tell(command)
                ids[command.submission_id] = number
            await bench.until_row("SELECT count(*) = $1 FROM submission", len(drawn))
        watching = Rows(bench)
        async with in_a_hurry(bench), killing.running():
            await until_settled(watching, len(drawn))
        await watching.close()

        rows = await bench.again(
            "SELECT submission_id, state, reason, due_at, attempts FROM submission"
        )
        handed_over = {
            row["submission_id"]: row["number"]
            for row in await bench.again(
                "SELECT submission_id, count(*) AS number FROM recipient"
                " WHERE handed_over GROUP BY submission_id"
            )
        }
    assert len(rows) == len(drawn)
    states = Counter[str]()
    for row in rows:
        number = ids[row["submission_id"]]
        book, lot = server.books[number], drawn[number]
        states[row["state"]] += 1
        assert book.dots - book.said_later <= 1, f"{lot} was handed over twice"
        match SubmissionState(row["state"]):
            case SubmissionState.ACCEPTED:
                assert book.delivered == 1, lot
            case SubmissionState.FAILED:
                assert book.delivered == 0, lot
                assert row["reason"], lot
                # Whatever befalls a session says nothing of the message it was for.
                assert lot.fault is Fault.NEVER, lot
            case SubmissionState.UNCERTAIN:
                assert row["due_at"] is None, lot
                assert row["reason"], lot
                assert handed_over[row["submission_id"]] == 1, lot
            case other:
                raise AssertionError(f"{lot} ended as {other}")
    assert states["accepted"] > len(drawn) / 2
    assert states["failed"] >= sum(one.fault is Fault.NEVER for one in drawn) * 0.8
    certain = {Fault.RESET, Fault.HANG_UP, Fault.HALF_ANSWER, Fault.DELIVERED_AND_LOST}
    # Where only the wire failed, and only after the dot, is there doubt; a death adds its own.
    lost_answers = sum(one.phase is Phase.DOT and one.fault in certain for one in drawn)
    assert states["uncertain"] >= lost_answers * 0.8
    assert {one.fault for one in server.met} == {one.fault for one in drawn}
    befell = {(one.phase, one.fault) for one in server.met if one.phase in SIGNING_IN}
    assert befell == {(one.phase, one.fault) for one in of_sessions}
    assert killing.deaths.total() == sum(one.fault in KILLS for one in (*drawn, *of_sessions))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    certificate, key = self_signed(tmp_path_factory.mktemp("certificate"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def test_whatever_befalls_three_hundred_messages_none_is_lost_and_none_sent_twice(
    bench: Bench, tls: ssl.SSLContext
):
    await the_fates_of(
        bench, tls, lots(300, seed=1, kills=15), lots_of_sessions(48, seed=1, kills=0)
    )


@pytest.mark.long
async def test_whatever_befalls_ten_thousand_messages_none_is_lost_and_none_sent_twice(
    bench: Bench, tls: ssl.SSLContext
):
    await the_fates_of(
        bench, tls, lots(10_000, seed=2, kills=60), lots_of_sessions(1000, seed=2, kills=18)
    )
