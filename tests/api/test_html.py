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
from services.api.domain import css
from services.api.domain.html import SafeHtml, clean, filled, sanitised
from shared.contracts.ids import Kind
from shared.contracts.ids import shown as id_shown
from shared.contracts.mail import ContentAnswer, MessageContent, ReadContent
from tests import corpora
from tests.api.conftest import Api, Person
from tests.api.harmless import dangers_in, dangers_in_sheet, words_of
from tests.api.mail import Ground

_FOLDER = corpora.corpora()
_SANITIZE = _FOLDER and _FOLDER / "sanitize"
_ATTACKS: list[dict[str, Any]] = (
    [
        json.loads(line)
        for line in (_SANITIZE / "vectors.jsonl").read_text("utf-8").splitlines()
        if line
    ]
    if _SANITIZE
    else []
)
_HONEST = sorted((_SANITIZE / "postmark-templates").rglob("content.html")) if _SANITIZE else []
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


#: What stands for the picture https://a.b in a style.
A_B = "picture-from-" + b"https://a.b".hex()


def shown(html: str) -> str:
    """As a reader has it, with its images held back."""
    return filled(*held_back(sanitised(html)))


def held_back(safe: SafeHtml) -> tuple[SafeHtml, list[tuple[str, str] | None]]:
    return safe, [("data-remote-src", image.source) for image in safe.images]


_CSS_PIECES = [
    *("a", "p", ".x", "#y", "body", "html", ":root", "*", ".message", ".m-postbus", ":hover"),
    *(" ", ",", " > ", "+", "~", "[a]", "::before", ":not(p)", "{", "}", ";", ":", "(", ")", "["),
    *("@media ", "@import 'x';", "@font-face", "@supports ", "screen", "(max-width: 9px)", "and "),
    *("color:red", "color:", "width:calc(", "url(x)", "url('x", "background:", "position:fixed"),
    *("var(--x)", "--x:", "\\", "\\75rl(x)", "/*", "*/", "<!--", "-->", "</style>", "!important"),
    *("'", '"', "\n", "\0", "expression(", "behavior:", "1px", "1e9999", "-", "0", "#fff", "&"),
    *("{color:red}", "@media screen{", "1" * 500, "font-family:'a'", "rgb(1,2,3)", "}}", "é"),
]


@needs_corpora
def test_no_known_attack_runs_or_reaches_out() -> None:
    assert len(_ATTACKS) >= 178
    for attack in _ATTACKS:
        assert dangers_in(sanitised(attack["payload"]).html) == [], attack["payload"]
        kept = clean(attack["payload"])
        assert clean(kept) == kept, attack["payload"]


@needs_corpora
def test_honest_mail_keeps_its_words_and_its_looks() -> None:
    assert len(_HONEST) >= 40
    for file in _HONEST:
        sent = file.read_text("utf-8")
        assert dangers_in(shown(sent)) == [], file
        kept = clean(sent)
        assert clean(kept) == kept, file
        body = re.sub(
            r"<!--.*?-->|<(style|title|script)\b.*?</\1>", "", sent, flags=re.DOTALL | re.IGNORECASE
        )
        # Not in this order: what stands in a table, but in no cell, comes before it in a browser.
        assert sorted(words_of(kept)) == sorted(words_of(re.sub(r"<![^>]*>", "", body))), file
        assert kept.count("<table") == body.count("<table"), file
        assert kept.count("<td") == body.count("<td"), file
        assert "@media only screen and (max-width: 600px)" in shown(sent), file
        if file.parts[-4] == "templates-inlined":
            assert "text-align: center" in kept, file
            assert "font-family: " in kept, file
        else:
            assert ".m-postbus .m-email-wrapper { width: 100%;" in shown(sent), file


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=25).map("".join))
def test_however_an_attack_is_put_together_nothing_of_it_is_left(hostile: str) -> None:
    assert dangers_in(sanitised(hostile).html) == []
    assert dangers_in(shown(hostile)) == []
    kept = clean(hostile)
    assert clean(kept) == kept


@given(st.lists(st.sampled_from(_CSS_PIECES) | st.text(max_size=3), max_size=30).map("".join))
def test_however_a_style_block_is_put_together_it_stays_in_its_message(hostile: str) -> None:
    kept = css.scoped(hostile)
    assert dangers_in_sheet(kept) == []
    assert css.scoped(kept) == kept
    assert dangers_in(shown(f"<style>{hostile}</style><p>x</p>")) == []
    style = css.harmless(hostile)
    assert style is None or css.harmless(style) == style


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("color: red; background: url(/evil)", "color: red"),
        ("color: red; background: url(javascript:x)", "color: red"),
        ("color: red; background: url(https://a@evil.example)", "color: red"),
        ("COLOR:RED;", "color: RED"),
        ("background-image: url(evil); width: 10px", "width: 10px"),
        ("background-image: url('https://evil.example' x), none; width: 1px", "width: 1px"),
        (f"background: url(https://evil.example/{'x' * 1500}) red", "background: red"),
        ("width: expression(alert(1))", None),
        ("color: \\75rl(https://evil.example)", None),
        ("color: /*; */ red; height: 1px", "color: red; height: 1px"),
        ("background: #eee url(ftp://evil.example) no-repeat", "background: #eee  no-repeat"),
        # What stands for a picture is a word that means nothing, whoever writes it.
        ("background: #eee url(//a.b) no-repeat", f"background: #eee {A_B} no-repeat"),
        ("background-image: url( 'https://a.b' ), none", f"background-image: {A_B}, none"),
        (f"background: {A_B}; color: {A_B}", f"background: {A_B}"),
        (f"list-style: url(https://a.b); font-family: '{A_B}'", None),
        ("background: picture-from-ff, picture-from-2f, picture-from-x; width: 1px", "width: 1px"),
        (
            "background-image: linear-gradient(red, #fff)",
            "background-image: linear-gradient(red, #fff)",
        ),
        ("background-image: linear-gradient(url(x), red)", None),
        ("width: calc(100% - (2 * 10px))", "width: calc(100% - (2 * 10px))"),
        ("wi\\64th: 1px; position: sticky; z-index: 9", "width: 1px"),
        ("font-family: 'Segoe; UI', Arial; color: red", "color: red"),
        ("width: " + "9" * 5_000 + "px; color: red", None),
        ("width: " + "calc(" * 3_000, None),
        ("position: fixed; top: 0; margin: -5px auto 0", "margin: -5px auto 0"),
        ("behavior: url(x.htc); -moz-binding: url(x)", None),
        ("list-style: url(https://evil.example) inside", None),
        ("color: rgba(0, 0, 0, 0.16) !important", "color: rgba(0, 0, 0, 0.16) !important"),
        ("font: 12px/1.5 'Nunito Sans', serif", "font: 12px/1.5 &quot;Nunito Sans&quot;, serif"),
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
    assert clean(f'<p style="{sent}">x</p>') == f"<p{attribute}>x</p>"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("p { color: red }", ".m-postbus p { color: red }"),
        (
            "p, .a#b > TD:hover { color: red }",
            ".m-postbus p, .m-postbus .m-a#m-b > td:hover { color: red }",
        ),
        ("html, body.x { margin: 0 }", ".m-postbus, .m-postbus.m-x { margin: 0 }"),
        ("html > body p { margin: 0 }", ".m-postbus p { margin: 0 }"),
        (":root * { margin: 0 }", ".m-postbus * { margin: 0 }"),
        # What stands beside the message, or has the message in it, is not its own.
        ("body + p, html ~ *, p body, .m-postbus + p { color: red }", ""),
        (
            "a[href^=x], p::before, :not(a), a:visited { color: red }",
            ".m-postbus a:visited { color: red }",
        ),
        (
            "@import url(x); @font-face { src: url(x) } p { color: red }",
            ".m-postbus p { color: red }",
        ),
        ("<!-- p { color: red; content: url(x) } -->", ".m-postbus p { color: red }"),
        ("p { background: url(x) } b { color: red", ".m-postbus b { color: red }"),
        (
            "p { background: url(https://a.b) } .picture-from-2f { color: red }",
            f".m-postbus p {{ background: {A_B} }}\n.m-postbus .m-picture-from-2f {{ color: red }}",
        ),
        # Nor does being fetched tell what the reader does, or on what screen.
        (
            f"a:hover, b {{ background: red url(https://a.b) }} p:active {{ background: {A_B} }}",
            ".m-postbus a:hover, .m-postbus b { background: red }",
        ),
        (
            "@media (max-width: 9em) { p { background: red url(https://a.b) } }",
            "@media (max-width: 9em) {\n.m-postbus p { background: red }\n}",
        ),
        (f"@media {A_B} {{ p {{ color: red }} }}", ""),
        (
            "@media (prefers-color-scheme: dark) { body { color: #fff !important } }",
            "@media (prefers-color-scheme: dark) {\n.m-postbus { color: #fff !important }\n}",
        ),
        ("@media screen and (x: url(y)) { p { color: red } }", ""),
        ("@supports (color: red) { p { color: red } }", ""),
        ("p { & b { position: fixed } color: red }", ".m-postbus p { color: red }"),
        ("p { color: red }" + " " * 600_000, ""),
        ("{" * 20_000, ""),
    ],
)
def test_a_style_block_counts_inside_its_message_only(sent: str, kept: str) -> None:
    assert css.scoped(sent) == kept


def test_a_style_block_for_some_screens_stays_for_these() -> None:
    html = shown('<style media="only screen and (max-width: 9em)">p{color:red}</style>x')
    assert "@media only screen and (max-width: 9em) {\n.m-postbus p { color: red }\n}" in html
    assert "red" not in shown('<style media="x(url(y))">p{color:red}</style>x')
    assert "red" not in shown("<!--[if mso]><style>p{color:red}</style><![endif]-->x")


def test_more_style_than_anybody_needs_is_left_out_and_the_message_is_shown() -> None:
    html = shown("<style>p{color:red}</style><style>b{color:red}" + " " * 600_000 + "</style><p>x")
    assert ".m-postbus p { color: red }" in html
    assert ".m-postbus b" not in html
    assert html.endswith("<p>x</p></div>")


def test_a_message_has_no_name_that_the_page_around_it_has() -> None:
    assert (
        clean('<p id="cookie" class="btn m-x  a:b btn"><a name="body">x</a></p>')
        == '<p id="m-cookie" class="m-btn m-x">'
        '<a target="_blank" rel="noopener noreferrer">x</a></p>'
    )


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ('<body bgcolor="#eee" text=red>', ' style="background-color: #eee; color: red"'),
        ('<BODY style="margin: 0; position: fixed" onload=x()>', ' style="margin: 0"'),
        ('<body class="a" id="b" dir="rtl">', ' id="m-b" dir="rtl"'),
        (
            "<!--[if mso]><body bgcolor=red><![endif]--><body bgcolor=lime>",
            ' style="background-color: lime"',
        ),
        ('<body bgcolor="url(x)" style="&quot;><script>">', ""),
        ("<body" + " " * 6_000 + ">", ""),
    ],
)
def test_the_look_of_the_body_is_kept(body: str, attributes: str) -> None:
    classes = "m-postbus m-a" if "class" in body else "m-postbus"
    html = shown(f"<html>{body}<p>x</p></body></html>")
    assert html.startswith(f'<div class="{classes}"{attributes}><style>'), html
    assert dangers_in(html) == []


# --- Images -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ('src="https://a.example/x.gif"', "remote"),
        ('src="//a.example/x.gif" width="600" height="1"', "remote"),
        ('src="http://a.example/x" width="100%" height="1"', "remote"),
        ('src="http://a.example/x" width="1"', "remote"),
        ('src="http://a.example/x" width="1" height="1"', "tracker"),
        ('src="http://a.example/x" width="0" style="height:1px !important"', "tracker"),
        ('src="http://a.example/x" style="display:none"', "tracker"),
        ('src="http://a.example/x" style="color:red;max-height:0;"', "tracker"),
        ('src="http://a.example/x" width="1" height="1" style="width:90px;height:9px"', "remote"),
        ('src="CID:logo@a"', "part"),
        ('src="data:image/png;base64,AA"', None),
        ('src="data:image/svg+xml,<svg>"', None),
        ('src="x.png"', None),
        ('src="https://user:secret@a.example/x.gif"', None),
        ('src="https://a.example:25/x.gif"', None),
        ('src="https://"', None),
        ("alt=x", None),
    ],
)
def test_an_image_is_told_by_where_it_is_and_whether_it_can_be_seen(
    attributes: str, kind: str | None
) -> None:
    images = sanitised(f"<p><img {attributes}></p>").images
    assert [image.kind for image in images] == ([] if kind is None else [kind])


def test_nobody_can_write_a_gap_for_an_image() -> None:
    forged = """<p title='<img data-image="0"' lang='<img data-image="0">'>&lt;img data-image="0"
        <img data-image="0" alt='<img data-image="0" src="x">'><img src="https://a.example/b?c&quot;">
        <style>.x{font-family:'<img data-image="0"'}</style>"""
    safe = sanitised(forged)
    assert len(safe.images) == 1
    assert filled(safe, [("src", "HERE")]).count("HERE") == 1
    assert dangers_in(filled(*held_back(safe))) == []


def test_a_picture_behind_a_text_is_shown_when_images_are_and_else_not() -> None:
    html = """<style>p { background: #eee url(https://a.b) no-repeat } b { background:
        url(cid:logo) }</style><body style="background: url(//c.d)"><p style="background-image:
        url('https://a.b')" title="picture-from-68">picture-from-2f \0s1\0<img src="https://e.f">"""
    safe = sanitised(html)
    assert {(image.kind, image.source) for image in safe.images} == {
        ("remote", "https://e.f"),
        ("remote", "https://a.b"),
        ("remote", "https://c.d"),
        ("part", "logo"),
    }
    ours = [("src", f"/{image.source[-3:]}?a=1&b=2") for image in safe.images]
    allowed = filled(safe, ours)
    assert "p { background: #eee url(/a.b?a=1&b=2) no-repeat }" in allowed
    assert "b { background: url(/ogo?a=1&b=2) }" in allowed
    assert '<div class="m-postbus" style="background: url(/c.d?a=1&amp;b=2)">' in allowed
    paragraph = '<p style="background-image: {}" title="picture-from-68">picture-from-2f s1<img '
    assert paragraph.format("url(/a.b?a=1&amp;b=2)") in allowed
    assert paragraph.format("none") in shown(html)
    assert "url(" not in shown(html)
    assert "url(" not in filled(safe, [None] * 4)


@given(st.lists(st.sampled_from([*_PIECES, *_CSS_PIECES]), max_size=30).map("".join))
def test_of_all_pictures_that_are_shown_none_is_from_elsewhere(hostile: str) -> None:
    for html in (hostile, f'<p style="{hostile}">', f"<style>p{{{hostile}}}</style>x"):
        safe = sanitised(html)
        seen = filled(safe, [("src", "cid:ours") for _ in safe.images])
        assert dangers_in(seen.replace("url(cid:ours)", "none")) == []


# --- In a process of its own --------------------------------------------------------------------


_PATIENT_SECONDS = 60
_PATIENCE = f"\0{_PATIENT_SECONDS}".encode()  # how its processes are told from the gateway's


@pytest_asyncio.fixture(loop_scope="session")
async def sanitiser() -> AsyncIterator[Sanitiser]:
    async with open_sanitiser(at_once=2, seconds=_PATIENT_SECONDS) as sanitiser:
        yield sanitiser


async def text_of(sanitiser: Sanitiser, html: str) -> str | None:
    """What is left of it, without the element around."""
    safe = await sanitiser.sanitised(html)
    return safe and safe.html.partition("</style>")[2].removesuffix("</div>")


def fonts(count: int) -> str:
    """Each paragraph opens anew every font before it: the square of what is written."""
    return "".join(f"<font color={n}><p>" for n in range(count))


@pytest.mark.parametrize("tangle", [fonts(2_500), fonts(20_000), "<div>" * 200_000])
async def test_html_that_would_take_all_time_or_memory_is_given_up(tangle: str) -> None:
    async with open_sanitiser(at_once=2, seconds=1) as impatient:
        given_up = asyncio.create_task(impatient.sanitised(tangle))
        assert await text_of(impatient, "<p>Meanwhile</p>") == "<p>Meanwhile</p>"
        assert await given_up is None
        assert await text_of(impatient, "<p>After</p>") == "<p>After</p>"


async def test_html_that_is_only_long_is_shown(sanitiser: Sanitiser) -> None:
    row = '<tr><td style="color: red">Grüße 你好 <a href="https://a.example/?b=1&amp;c">x</a></td></tr>'
    html = await text_of(sanitiser, "<table>" + row * 20_000 + "</table>")
    assert html is not None
    assert html.count("Grüße 你好") == 20_000


async def test_who_does_not_wait_for_the_answer_does_not_leave_it_to_the_next(
    sanitiser: Sanitiser,
) -> None:
    for _ in range(5):
        impatient = asyncio.create_task(sanitiser.sanitised("<p>Mine</p>" * 50_000))
        await asyncio.sleep(0.02)
        impatient.cancel()
        answers = await asyncio.gather(
            impatient,
            *(text_of(sanitiser, f"<p>{n}</p>") for n in range(4)),
            return_exceptions=True,
        )
        assert answers[1:] == [f"<p>{n}</p>" for n in range(4)]


async def test_a_process_that_died_is_replaced(sanitiser: Sanitiser) -> None:
    assert await text_of(sanitiser, "<p>1</p>") == "<p>1</p>"
    (child,) = children_of(os.getpid())
    os.kill(child, 9)
    await asyncio.sleep(0.2)
    assert await text_of(sanitiser, "<p>2</p>") == "<p>2</p>"


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
        if int(name_end[1]) == parent and b"sanitising" in words and _PATIENCE in words:
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
        answer = await ada.http.get(f"/messages/{id_shown(Kind.MESSAGE, message.message_id)}")
    assert answer.status_code == 200, answer.text[:300]
    opened = answer.json()
    assert (opened["text"], opened["html"]) == ("Hello", None)
    assert opened["defects"] == ["invalid_date", "html_too_tangled"]


def test_a_picture_behind_a_table_is_one_like_others():
    html = """<body background="//c.d/p"><table background="https://a.b/x y.png" style="color: red">
        <tr background="cid:logo"><td background="relative.gif" bgcolor="#eee">
        <td style="background-image: none" background=https://a.b/x%20y.png>
        <td background="javascript:alert(1)"><td background='url("x")'>Text with background="x"
        </table>"""
    safe = sanitised(html)
    assert sorted((image.kind, image.source) for image in safe.images) == [
        ("part", "logo"),
        ("remote", "https://a.b/x%20y.png"),
        ("remote", "https://c.d/p"),
    ]
    assert "url(" not in shown(html)
    seen = filled(safe, [("src", f"/own/{n}") for n in range(len(safe.images))])
    assert seen.count("url(/own/") == 4
    assert 'style="background-image: url(/own/' in seen
    assert "background-image: none" in seen
    assert ' background="' not in seen.replace('with background="x"', "")
    assert sanitised(clean(html)).images == sanitised(clean(clean(html))).images
