import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.mime.html_text import text_of_html
from services.sync.domain.parse import parse, preview_of
from services.sync.domain.quoting import own_text
from tests.corpora import corpora

ATTRIBUTIONS = [
    "On Mon, Apr 2, 2012 at 6:26 PM, Ann Lee <ann@example.org> wrote:",
    "On Mon, Apr 2, 2012 at 6:26 PM, Ann Lee\n<ann@example.org>\nwrote:",
    "Am 02.04.2012 um 18:26 schrieb Ann Lee <ann@example.org>:",
    "Am Mo., 2. Apr. 2012 um 18:26 Uhr schrieb Ann Lee <\nann@example.org>:",
    "Le lun. 2 avr. 2012 à 18:26, Ann Lee <ann@example.org> a écrit\u00a0:",
    "El lun, 2 abr 2012 a las 18:26, Ann Lee (<ann@example.org>) escribió:",
    "Il giorno lun 2 apr 2012 alle ore 18:26 Ann Lee <ann@example.org> ha scritto:",
    "Em seg., 2 de abr. de 2012 às 18:26, Ann Lee <ann@example.org> escreveu:",
    "Op ma 2 apr. 2012 om 18:26 schreef Ann Lee <ann@example.org>:",
    "Den mån 2 apr. 2012 kl 18:26 skrev Ann Lee <ann@example.org>:",
    "ma 2. huhtik. 2012 klo 18.26 Ann Lee (ann@example.org) kirjoitti:",
    "pon., 2 kwi 2012 o 18:26 Ann Lee <ann@example.org> napisał(a):",
    "po 2. 4. 2012 v 18:26 odesílatel Ann Lee <ann@example.org> napsal:",
    "пн, 2 апр. 2012 г. в 18:26, Ann Lee <ann@example.org>:",
    "02.04.2012 14:20 пользователь Ann <ann@example.org> написал:",
    "Ann Lee <ann@example.org>, 2 Nis 2012 Pzt, 18:26 tarihinde şunu yazdı:",
    "2012年4月2日(月) 18:26 Ann Lee <ann@example.org>:",
    "Ann Lee <ann@example.org> 于2012年4月2日周一 18:26写道：",
    "2012년 4월 2일 (월) 오후 6:26, Ann Lee <ann@example.org>님이 작성:",
    "-----Original Message-----",
    "-------- Ursprüngliche Nachricht --------",
    f"{'_' * 32}\nVon: Ann Lee\nGesendet: Montag, 2. April 2012\nAn: Bob\nBetreff: Essen",
    "*From:* Ann Lee\n*Sent:* Monday, April 2, 2012 6:26 PM\n*To:* Bob\n*Subject:* Lunch",
    "De : Ann Lee\nEnvoyé : lundi 2 avril 2012 18:26\nÀ : Bob\nObjet : Repas",
    "发件人: Ann\n发送时间: 2012年4月2日 18:26\n收件人: Bob\n主题: 午饭",
    "差出人: Ann\n送信日時: 2012年4月2日 18:26\n宛先: Bob\n件名: 昼食",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_an_answer_is_what_stands_above_the_history(attribution: str):
    history = "Shall we have lunch?\nAt noon, I thought."
    assert own_text(f"Yes, at 12:30.\n\n{attribution}\n\n{history}\n") == "Yes, at 12:30."
    quoted = "\n".join(f"> {line}" for line in history.split("\n"))
    assert own_text(f"Yes, at 12:30.\n\n{attribution}\n\n{quoted}\n") == "Yes, at 12:30."


def test_answers_between_quoted_lines_stay():
    text = "Hi,\n\nOn Monday, Ann wrote:\n> Lunch?\nYes.\n> Where?\nHere.\n"
    assert own_text(text) == "Hi,\n\nYes.\nHere."


def test_an_answer_below_the_history_stays():
    assert own_text("On Monday, Ann wrote:\n> Lunch?\n\nYes.\n") == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "We meet on 2 April at 10:30:\nAnn brings cake.",
        "On Monday I wrote:\nnothing at all.",
        "From: the beginning\nwe knew it.",
        "To: do\nDate: soon\nand the rest",
        "Sent from my desk, is much easier then my mobile phone.",
        "Get me a phone",
        "Sent him the phone",
        "a -- b\n--- c",
        "Here is a list:\n- one\n- two",
        "------ Results 2024 ------\nnone",
    ],
)
def test_what_only_looks_like_history_stays(text: str):
    assert own_text(text) == text


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnn Lee\nExample Ltd",
        "--\nAnn",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Отправлено с iPhone",
        "iPhoneから送信",
        "发自我的iPhone",
        "나의 iPhone에서 보냄",
        "Get Outlook for iOS",
        "_______________________________________________\nour list\nhttps://lists.example.org/",
    ],
)
def test_a_signature_is_not_what_somebody_wrote(signature: str):
    assert own_text(f"Yes.\n\n{signature}\n") == "Yes."


def test_what_is_only_quoted_is_better_than_nothing():
    assert own_text("> Lunch?\n") == "> Lunch?"
    assert own_text("") == ""


def test_real_answers_are_told_from_their_history():
    folder = corpora()
    if folder is None:
        pytest.skip("the corpora are not beside the project")
    fixtures = folder / "quotes" / "talon" / "fixtures"
    for path in sorted((fixtures / "standard_replies").glob("*.eml")):
        assert own_text(parse(path.read_bytes()).text) == "Hello", path.name
    for path in sorted((fixtures / "html_replies").glob("*.html")):
        page = path.read_text(encoding="utf-8", errors="replace")
        assert own_text(text_of_html(page)) == "Hi. I am fine.\nThanks,\nAlex", path.name


def test_a_preview_shows_what_is_new():
    assert preview_of("Yes.\n\nOn 2 April 2012, Ann <a@x> wrote:\n\n> Lunch?\n") == "Yes."
    assert preview_of("Yes.\n\n-----Original Message-----\nLunch?\n") == "Yes."
    assert preview_of("On 2 April 2012, Ann <a@x> wrote:\n> Lunch?\nYes.\n") == "Yes."
    assert preview_of("Hi,\nOn 2 April 2012, Ann wrote:\n> Lunch?\nYes.\n") == "Hi, Yes."
    assert preview_of("> Lunch?\n") == "> Lunch?"


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "piece",
    ["> a\n", "On 1:\n", "From: a\n", "<a@x>", "-", "- ", "1:00 ", "sent ", "a@", ":", "_\n", "\n"],
)
def test_a_text_made_to_be_slow_is_soon_read(piece: str):
    own_text(piece * 200_000)
    preview_of(piece * 200_000)


@given(st.text() | st.lists(st.sampled_from(ATTRIBUTIONS) | st.text(max_size=9)).map("\n".join))
def test_nothing_is_put_into_anybodys_mouth(text: str):
    kept = own_text(text)
    lines = {line.strip() for line in text.split("\n")}
    assert {line.strip() for line in kept.split("\n")} <= lines | {""}
