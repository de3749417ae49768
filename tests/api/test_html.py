import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from services.api.actions.sanitising import Sanitiser, open_sanitiser
from services.api.domain.html import sanitised
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import ContentAnswer, MessageContent, ReadContent
from tests import corpora
from tests.api.conftest import Api, Person
from tests.api.harmless import dangers_in, tags_of, words_of
from tests.api.mail import Ground

_FOLDER = corpora.corpora()
_ATTACKS: list[dict[str, Any]] = []
_HONEST: list[Path] = []
if _FOLDER is not None:
    _LINES = (_FOLDER / "sanitize" / "vectors.jsonl").read_text("utf-8").splitlines()
    _ATTACKS = [json.loads(line) for line in _LINES]
    _HONEST = sorted((_FOLDER / "sanitize" / "postmark-templates").rglob("content.html"))
needs_corpora = pytest.mark.skipif(_FOLDER is None, reason="the corpora are not here")

# Pieces that attacks are made of, to be put together in any order.
_PIECES = [
    *("<svg>", "</svg>", "<math>", "<mtext>", "<mglyph>", "<style>", "</style>", "<title>"),
    *("<noscript>", "<template>", "<select>", "<table>", "<form>", "<p>", "</p>", "<b>", "<a "),
    *("<img src=x onerror=f()>", "<script>f()</script>", "<!--", "-->", "--!>", "<![CDATA[", "]]>"),
    *("<iframe srcdoc='", "<textarea>", "</textarea>", "<xmp>", "<plaintext>", "<object data=x>"),
    *("href=", "javascript:f()", "src=", "//evil.example/x", "https://evil.example/x", "\\\\evil"),
    *("style=", "url(https://evil.example)", "expression(f())", "\\75rl(x)", "@import 'x'", "/**/"),
    *("background:", "color:red;", "srcset=", "onclick=f() ", '"', "'", "`", ">", "<", "/", " "),
    *("&#x6a;avascript:", "&quot;", "&lt;", "\0", "\t", "\n", "\ufeff", "\u2028", 'src="', "cid:a"),
    *("postbus-blocked:", ' src="postbus-blocked:\0', "data:image/svg+xml,<svg onload=f()>"),
]


def means_the_same_again(clean: str) -> bool:
    """Whether parsing it anew, as a browser will, finds nothing else in it.

    Elements may be closed and opened elsewhere: a table that stood in a dropped element may now
    stand in a paragraph. None is of another kind, or has another attribute, and no text is markup.
    """
    clean = clean.lstrip("\ufeff")  # at the beginning it is a byte order mark, and no text
    again = sanitised(clean.replace(' data-remote-src="', ' src="'))
    return tags_of(again) == tags_of(clean) and words_of(again) == words_of(clean)


@needs_corpora
def test_no_known_attack_runs_or_reaches_out() -> None:
    assert len(_ATTACKS) >= 178
    for attack in _ATTACKS:
        clean = sanitised(attack["payload"])
        assert dangers_in(clean) == [], attack["payload"]
        assert means_the_same_again(clean), attack["payload"]


@needs_corpora
def test_honest_mail_keeps_its_words_and_its_looks() -> None:
    assert len(_HONEST) >= 40
    for file in _HONEST:
        sent = file.read_text("utf-8")
        clean = sanitised(sent)
        assert dangers_in(clean) == [], file
        body = re.sub(
            r"<!--.*?-->|<(style|title|script)\b.*?</\1>", "", sent, flags=re.DOTALL | re.IGNORECASE
        )
        # Not in this order: what stands in a table, but in no cell, comes before it in a browser.
        assert sorted(words_of(clean)) == sorted(words_of(re.sub(r"<![^>]*>", "", body))), file
        assert clean.count("<table") == body.count("<table"), file
        assert clean.count("<td") == body.count("<td"), file
        if file.parts[-4] == "templates-inlined":
            assert "text-align: center" in clean, file
            assert "font-family: " in clean, file


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=25).map("".join))
def test_however_an_attack_is_put_together_nothing_of_it_is_left(hostile: str) -> None:
    clean = sanitised(hostile)
    assert dangers_in(clean) == []
    assert means_the_same_again(clean)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("color: red; background: url(https://evil.example)", "color: red"),
        ("COLOR:RED;", "color: RED"),
        ("background-image: url(https://evil.example); width: 10px", "width: 10px"),
        ("width: expression(alert(1))", None),
        ("color: \\75rl(https://evil.example)", None),
        ("color: /*; */ red; height: 1px", "height: 1px"),
        ("position: fixed; top: 0; margin: -5px auto 0", "margin: -5px auto 0"),
        ("behavior: url(x.htc); -moz-binding: url(x)", None),
        ("list-style: url(https://evil.example) inside", None),
        ("color: rgba(0, 0, 0, 0.16) !important", "color: rgba(0, 0, 0, 0.16) !important"),
        ("font: 12px/1.5 'Nunito Sans', serif", "font: 12px/1.5 'Nunito Sans', serif"),
        ("font-family: 'a;color:red'", None),
        ("content: 'x'; display: none", "display: none"),
        ("color: image-set('https://evil.example' 1x)", None),
        ("color: var(--x)", None),
        ("--x: url(https://evil.example)", None),
        ("color: red" + " " * 20_000, None),
    ],
)
def test_of_a_style_only_looks_are_left(sent: str, kept: str | None) -> None:
    attribute = f' style="{kept}"' if kept else ""
    assert sanitised(f'<p style="{sent}">x</p>') == f"<p{attribute}>x</p>"


# --- In a process of its own --------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def sanitiser() -> AsyncIterator[Sanitiser]:
    async with open_sanitiser(at_once=2, seconds=2) as sanitiser:
        yield sanitiser


def fonts(count: int) -> str:
    """Each paragraph opens anew every font before it: the square of what is written."""
    return "".join(f"<font color={n}><p>" for n in range(count))


@pytest.mark.parametrize("tangle", [fonts(2_500), fonts(20_000), "<div>" * 200_000])
async def test_html_that_would_take_all_time_or_memory_is_given_up(
    sanitiser: Sanitiser, tangle: str
) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    given_up = asyncio.create_task(sanitiser.sanitised(tangle))
    assert await sanitiser.sanitised("<p>Meanwhile</p>") == "<p>Meanwhile</p>"
    assert await given_up is None
    assert loop.time() - before < 10
    assert await sanitiser.sanitised("<p>After</p>") == "<p>After</p>"


async def test_html_that_is_only_long_is_shown(sanitiser: Sanitiser) -> None:
    row = '<tr><td style="color: red">Grüße 你好 <a href="https://a.example/?b=1&amp;c">x</a></td></tr>'
    clean = await sanitiser.sanitised("<table>" + row * 20_000 + "</table>")
    assert clean is not None
    assert clean.count("Grüße 你好") == 20_000


async def test_who_does_not_wait_for_the_answer_does_not_leave_it_to_the_next(
    sanitiser: Sanitiser,
) -> None:
    for _ in range(5):
        impatient = asyncio.create_task(sanitiser.sanitised("<p>Mine</p>" * 50_000))
        await asyncio.sleep(0.02)
        impatient.cancel()
        answers = await asyncio.gather(
            impatient,
            *(sanitiser.sanitised(f"<p>{n}</p>") for n in range(4)),
            return_exceptions=True,
        )
        assert answers[1:] == [f"<p>{n}</p>" for n in range(4)]


async def test_a_process_that_died_is_replaced(sanitiser: Sanitiser) -> None:
    assert await sanitiser.sanitised("<p>1</p>") == "<p>1</p>"
    (child,) = children_of(os.getpid())
    os.kill(child, 9)
    await asyncio.sleep(0.2)
    assert await sanitiser.sanitised("<p>2</p>") == "<p>2</p>"


async def test_what_reads_hostile_html_knows_no_password_and_no_key(
    sanitiser: Sanitiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_DATABASE_URL", "postgresql://api:hush-hush@127.0.0.1/x")
    await sanitiser.sanitised("<p>1</p>")
    for child in children_of(os.getpid()):
        assert b"hush-hush" not in Path(f"/proc/{child}/environ").read_bytes()


def children_of(parent: int) -> list[int]:
    """Those of our children that sanitise."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name_end = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if int(name_end[1]) == parent and b"sanitising" in words and b"\x002" in words:
            found.append(int(entry.name))
    return found


async def test_a_message_whose_html_is_too_tangled_shows_its_text(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message("Tangled", has_html=True)
    await api.hears(ground.page(message))
    tangle = fonts(6_000)
    content = MessageContent(
        text="Hello",
        html=tangle,
        headers=(),
        text_characters=5,
        html_characters=len(tangle),
        defects=("invalid_date",),
    )
    async with api.answering("sync", ReadContent, ContentAnswer(content=content)):
        answer = await ada.http.get(f"/messages/{shown(Kind.MESSAGE, message.message_id)}")
    assert answer.status_code == 200, answer.text[:300]
    opened = answer.json()
    assert (opened["text"], opened["html"]) == ("Hello", None)
    assert opened["defects"] == ["invalid_date", "html_too_tangled"]
