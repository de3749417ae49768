import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.mime.html_text import text_of_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one<p>two", "one\ntwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<div><div>x</div></div>\n  <div>y</div>", "x\ny"),
        ("<b>bo</b>ld &amp; <i>it</i>alic&nbsp;!", "bold & italic !"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<html><head><title>t</title><style>p{}</style></head><body>x</body></html>", "x"),
        ("a<script>alert('<p>')</script>b", "ab"),
        ("a<!-- <p>no</p> -->b<!-->c", "abc"),
        ("x<STYLE>y</Style >z", "xz"),
        ('<img alt="a > b">x', "x"),
        ("<a href='x\" y'>z</a>", "z"),
        ('<a title="never closed>x</a>', "x"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("&lt;p&gt; &#x41;&#66;&copy", "<p> AB©"),
        ("a&#0;b&#xD800;c&#99999999999999999999;d", "a\ufffdb\ufffdc\ufffd;d"),
        ("a\0b\x1ec", "a b c"),
        ("<script>never closed", ""),
        ("text only", "text only"),
        ("", ""),
    ],
)
def test_html_is_read_as_a_person_would(html: str, text: str):
    assert text_of_html(html) == text


@given(st.text() | st.text("<>!-/\"'=&#; abp", max_size=300))
def test_any_page_has_a_text(html: str):
    text = text_of_html(html)
    assert "\0" not in text
    text.encode("utf-8")


@pytest.mark.parametrize(
    "bomb",
    [
        *("<div>", "<p><b>", "<", "<a '", '<a "', "<!--", "<!-->", "</", "&", "&#9", "<script>"),
        *("<a", "<x y=1 ", "İ<style>", "<style></style>", " \x1e", "<br>", "&nbsp; "),
    ],
)
def test_no_page_takes_long_to_read(bomb: str, quickly: None):
    text_of_html(bomb * 200_000)
