import pytest

from services.sender.domain.fate import Answer, Stage, fate_of
from services.sender.domain.reply import Reply, reply_of
from services.sender.domain.submission import Addressee
from shared.contracts.submission import Fate

BEFORE, AFTER = Stage.BEFORE_DOT, Stage.AFTER_DOT


@pytest.mark.parametrize(
    ("stage", "code", "fate"),
    [
        (BEFORE, 550, Fate.REFUSED),
        (BEFORE, 450, Fate.DEFERRED),
        (BEFORE, 250, Fate.DEFERRED),
        (BEFORE, 354, Fate.DEFERRED),
        (BEFORE, 999, Fate.DEFERRED),
        (BEFORE, None, Fate.DEFERRED),
        (AFTER, 250, Fate.ACCEPTED),
        (AFTER, 451, Fate.DEFERRED),
        (AFTER, 554, Fate.REFUSED),
        (AFTER, 354, Fate.UNCERTAIN),
        (AFTER, 999, Fate.UNCERTAIN),
        (AFTER, 0, Fate.UNCERTAIN),
        (AFTER, -12, Fate.UNCERTAIN),
        (AFTER, None, Fate.UNCERTAIN),
    ],
)
def test_the_first_digit_decides_and_the_dot_decides_what_silence_means(
    stage: Stage, code: int | None, fate: Fate
):
    reply = Reply(code, None, "") if code is not None else None
    assert fate_of(stage, reply) is fate


@pytest.mark.parametrize("stage", [BEFORE, AFTER])
def test_a_days_limit_is_over_tomorrow_whatever_the_first_digit_says(stage: Stage):
    said = reply_of(550, "5.4.5 Daily user sending limit exceeded.")
    assert fate_of(stage, said) is Fate.DEFERRED
    assert fate_of(stage, reply_of(550, "5.4.4 No such host.")) is Fate.REFUSED


@pytest.mark.parametrize("stage", [BEFORE, AFTER])
@pytest.mark.parametrize("code", [530, 535])
def test_who_is_asked_to_sign_in_was_not_refused_the_message(stage: Stage, code: int):
    assert fate_of(stage, reply_of(code, "5.7.8 no")) is Fate.DEFERRED


def test_an_enhanced_code_is_told_from_the_words_of_every_line():
    reply = reply_of(550, "5.1.1 The account does not exist.\n5.1.1 Try again.")
    assert reply == Reply(550, "5.1.1", "The account does not exist. Try again.")


def test_an_enhanced_code_of_another_class_is_only_words():
    assert reply_of(250, "5.1.1 strange") == Reply(250, None, "5.1.1 strange")


def test_a_version_number_is_no_enhanced_code():
    assert reply_of(250, "2.0.0.1 ready").enhanced_code is None


def test_what_a_server_says_can_always_be_stored():
    words = reply_of(550, "5.7.1 caf\udce9 \x00\x1b[31m" + "x" * 5000).text
    assert "\x00" not in words
    assert "\x1b" not in words
    assert words.encode("utf-8").decode() == words
    assert len(words) <= 2000


def test_silence_after_an_earlier_answer_leaves_no_old_words():
    greylisted = Addressee(number=0, email="a@b.c").answered(
        Answer(BEFORE, Reply(450, "4.7.1", "later"))
    )
    assert greylisted.server_said == "later"
    assert greylisted.answered(Answer(BEFORE)) == Addressee(
        number=0, email="a@b.c", fate=Fate.DEFERRED
    )
