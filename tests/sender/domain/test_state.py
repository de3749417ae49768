from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.sender.domain.fate import Answer, Stage
from services.sender.domain.reply import Reply
from services.sender.domain.state import RETRY_FOR, next_attempt_at, state_of
from services.sender.domain.submission import (
    Addressee,
    Submission,
    after_attempt,
    after_cancel,
    after_interruption,
)
from shared.contracts.submission import Fate, SubmissionState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TAKEN = Answer(Stage.AFTER_DOT, Reply(250, "2.0.0", "taken"))
LATER = Answer(Stage.BEFORE_DOT, Reply(450, "4.2.1", "busy"))
NEVER = Answer(Stage.BEFORE_DOT, Reply(550, "5.1.1", "nobody"))
NOTHING = Answer(Stage.AFTER_DOT, None)


def a_submission(*fates: Fate, **differently: object) -> Submission:
    values = {
        "submission_id": UUID(int=1),
        "tenant_id": UUID(int=2),
        "account_id": UUID(int=3),
        "state": state_of(fates),
        "revision": 1,
        "message_id": "1@example.com",
        "sender": "ada@example.com",
        "size_bytes": 10,
        "needs_smtputf8": False,
        "attempts": 1,
        "first_attempt_at": NOW,
        "due_at": NOW,
        "reason": None,
        "server_said": None,
        "filed": False,
        "fence": 1,
        "created_at": NOW,
        "recipients": tuple(
            Addressee(number=number, email=f"r{number}@example.com", fate=fate)
            for number, fate in enumerate(fates)
        ),
    }
    return Submission(**(values | differently))  # type: ignore[arg-type]


def after(submission: Submission, *answers: Answer, now: datetime = NOW) -> Submission:
    return after_attempt(
        submission,
        dict(enumerate(answers)),
        reason=None,
        server_said=None,
        now=now,
        jitter=0.0,
    )


def test_a_submission_is_on_its_way_as_long_as_somebody_may_still_get_it():
    assert state_of([Fate.WAITING]) is SubmissionState.QUEUED
    assert state_of([Fate.ACCEPTED, Fate.REFUSED, Fate.DEFERRED]) is SubmissionState.DEFERRED
    assert state_of([Fate.UNCERTAIN, Fate.DEFERRED]) is SubmissionState.DEFERRED


def test_doubt_about_anybody_outweighs_what_is_known_about_others():
    assert state_of([Fate.ACCEPTED, Fate.UNCERTAIN]) is SubmissionState.UNCERTAIN


def test_accepted_means_by_everybody():
    assert state_of([Fate.ACCEPTED, Fate.ACCEPTED]) is SubmissionState.ACCEPTED
    assert state_of([Fate.ACCEPTED, Fate.REFUSED]) is SubmissionState.PARTIALLY_ACCEPTED
    assert state_of([Fate.ACCEPTED, Fate.CANCELED]) is SubmissionState.PARTIALLY_ACCEPTED
    assert state_of([Fate.REFUSED, Fate.REFUSED]) is SubmissionState.FAILED
    assert state_of([Fate.CANCELED]) is SubmissionState.CANCELED


def test_only_those_who_have_not_got_it_are_sent_to_again():
    tried = after(a_submission(Fate.WAITING, Fate.WAITING, Fate.WAITING), TAKEN, LATER, NEVER)
    assert tried.state is SubmissionState.DEFERRED
    assert [one.email for one in tried.open_recipients] == ["r1@example.com"]
    assert tried.due_at == NOW + timedelta(minutes=1)
    assert tried.revision == 2

    again = after_attempt(tried, {1: TAKEN}, reason=None, server_said=None, now=NOW, jitter=0.0)
    assert again.state is SubmissionState.PARTIALLY_ACCEPTED
    assert again.due_at is None


def test_what_is_uncertain_is_never_due_again():
    tried = after(a_submission(Fate.WAITING, Fate.WAITING), NOTHING, NEVER)
    assert tried.state is SubmissionState.UNCERTAIN
    assert tried.due_at is None
    assert tried.open_recipients == ()


def test_after_three_days_it_fails_with_the_servers_last_words():
    submission = a_submission(Fate.DEFERRED, attempts=40)
    ended = after(submission, LATER, now=NOW + RETRY_FOR)
    assert ended.state is SubmissionState.FAILED
    assert ended.reason == "gave_up"
    assert ended.server_said == "busy"


def test_whoever_was_being_handed_the_message_when_we_died_is_uncertain_and_nobody_else():
    submission = a_submission(Fate.WAITING, Fate.REFUSED, Fate.DEFERRED)
    taken, refused, deferred = submission.recipients
    taken = Addressee(number=0, email=taken.email, handed_over=True)
    submission = a_submission(
        Fate.WAITING, Fate.REFUSED, Fate.DEFERRED, recipients=(taken, refused, deferred)
    )

    died = after_interruption(submission, now=NOW, jitter=0.0)

    assert [one.fate for one in died.recipients] == [Fate.UNCERTAIN, Fate.REFUSED, Fate.DEFERRED]
    assert died.state is SubmissionState.DEFERRED
    assert [one.email for one in died.open_recipients] == [deferred.email]


def test_the_last_owner_may_still_say_what_it_heard():
    taken = Addressee(number=0, email="r0@example.com", handed_over=True)
    died = after_interruption(a_submission(Fate.WAITING, recipients=(taken,)), now=NOW, jitter=0.0)
    assert died.state is SubmissionState.UNCERTAIN
    alive = after(died, TAKEN)
    assert alive.state is SubmissionState.ACCEPTED
    assert alive.revision == died.revision + 1


def test_cancel_leaves_those_who_have_it_alone():
    canceled = after_cancel(a_submission(Fate.ACCEPTED, Fate.DEFERRED), reason="account_removed")
    assert [one.fate for one in canceled.recipients] == [Fate.ACCEPTED, Fate.CANCELED]
    assert canceled.due_at is None


@given(
    attempts=st.integers(1, 1000),
    jitter=st.floats(0, 1),
    elapsed=st.timedeltas(timedelta(0), RETRY_FOR - timedelta(seconds=1)),
)
def test_the_next_attempt_comes_later_and_never_after_the_end(
    attempts: int, jitter: float, elapsed: timedelta
):
    now = NOW + elapsed
    at = next_attempt_at(attempts=attempts, first_attempt_at=NOW, now=now, jitter=jitter)
    assert at is not None
    assert now < at <= NOW + RETRY_FOR
    assert at - now <= timedelta(hours=4)


def test_delays_double_up_to_four_hours():
    delays = [
        next_attempt_at(attempts=n, first_attempt_at=NOW, now=NOW, jitter=0.0) for n in range(1, 11)
    ]
    minutes = [round((at - NOW).total_seconds() / 60) for at in delays if at]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
