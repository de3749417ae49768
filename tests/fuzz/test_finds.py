from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("door", "found"),
    [
        pytest.param("wire", b"* 1 FETCH (BODY[\xa8] x)\r\n", id="an item's name in no letters"),
        pytest.param("wire", b"* 1 FETCH (FLAGS (\\A\xa0\\B))\r\n", id="a blank that is none"),
        pytest.param(
            "mail",
            b"Content-Type: multipart/mixed; boundary=a\nContent-Disposition: attachment\n"
            b"Content-Transfer-Encoding: base64\n\nVGVzdAo=\n",
            id="an encoded multipart without parts",
        ),
        pytest.param(
            "mail",
            b"Content-Type: multipart/report; boundary=a\n\n--a\nContent-Type:"
            b" message/delivery-status\n\nOriginal-Message-ID: <a\0@b>\n--a--\n",
            id="NUL in what a report is about",
        ),
    ],
)
def test_what_broke_a_promise_once_breaks_it_no_more(door: str, found: bytes):
    import_module(f"tests.fuzz.{door}").check(found)
