import pytest

from services.sender.domain.fate import Answer, Stage
from services.sender.domain.reason import reason_of
from services.sender.domain.reply import reply_of
from services.sender.domain.session_limit import ends_session

BEFORE, AFTER = Stage.BEFORE_DOT, Stage.AFTER_DOT


@pytest.mark.parametrize(
    ("stage", "code", "words", "reason"),
    [
        (BEFORE, 421, "4.3.2 shutting down", "server_closing"),
        (BEFORE, 451, "4.7.1 Greylisted, try again in 300 seconds", "greylisted"),
        (BEFORE, 450, "4.2.0 <bob@x>: Recipient address rejected: Greylisting", "greylisted"),
        (BEFORE, 450, "4.2.2 over quota", "mailbox_full"),
        (BEFORE, 452, "4.5.3 too many recipients", "too_much_mail"),
        (BEFORE, 451, "something", "refused_for_now"),
        (BEFORE, 550, "5.1.1 no such user", "recipient_unknown"),
        (BEFORE, 552, "5.2.2 the mailbox is full", "mailbox_full"),
        (BEFORE, 552, "5.3.4 too large", "message_too_large"),
        (BEFORE, 552, "no", "message_too_large"),
        (BEFORE, 553, "5.1.8 not your address", "sender_refused"),
        (BEFORE, 550, "5.6.7 no SMTPUTF8 here", "addresses_not_supported"),
        (BEFORE, 550, "5.4.5 Daily user sending limit exceeded", "too_much_mail"),
        (BEFORE, 530, "sign in first", "auth_required"),
        (BEFORE, 530, "5.7.1 Client was not authenticated", "auth_required"),
        (AFTER, 535, "5.7.8 the token has expired", "auth_required"),
        (BEFORE, 554, "no", "refused"),
        (AFTER, 554, "5.7.1 this is spam", "refused_by_policy"),
        (AFTER, 554, "no", "message_refused"),
        (AFTER, 250, "ok", None),
        (BEFORE, 250, "ok, but it was DATA", "unexpected_answer"),
    ],
)
def test_why_a_message_was_not_taken_has_one_stable_word(
    stage: Stage, code: int, words: str, reason: str | None
):
    assert reason_of(Answer(stage, reply_of(code, words))) == reason


def test_silence_has_no_reason_of_the_message():
    assert reason_of(Answer(AFTER)) is None


@pytest.mark.parametrize(
    ("code", "words", "before", "ends"),
    [
        (421, "4.7.0 too many messages in this session", 20, True),
        (421, "bye", 20, True),
        (452, "4.5.3 Too many messages in this connection", 20, True),
        (450, "4.7.1 message limit per session exceeded", 20, True),
        (530, "5.7.0 Authentication required", 1, True),
        (535, "5.7.8 the token has expired", 20, True),
        (530, "5.7.0 Authentication required", 0, False),
        (421, "bye", 0, False),  # the first message: it is no matter of the session
        (450, "4.2.1 busy", 20, False),
        (550, "5.7.1 too many messages from you", 20, False),
    ],
)
def test_a_session_that_had_enough_is_told_from_a_message_that_is_refused(
    code: int, words: str, before: int, ends: bool
):
    assert ends_session(reply_of(code, words), messages_before=before) is ends
