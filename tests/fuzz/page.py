"""Whatever HTML comes, what is shown of it runs nothing, fetches nothing, and stays as it is."""

import json
from collections.abc import Iterator

from services.api.domain.html import ImageKind, clean, filled, sanitised
from services.sync.domain.mime.html_text import text_of_html
from tests.api.harmless import dangers_in
from tests.corpora import corpora

_SEED_BYTES = 20_000

WORDS = [
    *(b"<svg>", b"</svg>", b"<math>", b"<mtext>", b"<mglyph>", b"<style>", b"</style>", b"<title>"),
    *(b"<noscript>", b"<template>", b"<select>", b"<table>", b"<form>", b"<p>", b"</p>", b"<a "),
    *(b"<img src=x onerror=f()>", b"<script>f()</script>", b"<!--", b"-->", b"--!>", b"<![CDATA["),
    *(b"<iframe srcdoc='", b"<textarea>", b"</textarea>", b"<xmp>", b"<plaintext>", b"]]>"),
    *(b"href=", b"javascript:f()", b"src=", b"//evil.example/x", b"https://evil.example/x"),
    *(b"style=", b"url(https://evil.example)", b"expression(f())", b"\\75rl(x)", b"@import 'x'"),
    *(b"background:", b"color:red;", b"srcset=", b"onclick=f() ", b"@media screen{", b"/**/"),
    *(b"&#x6a;avascript:", b"&quot;", b"&lt;", b"\0", b"\xef\xbb\xbf", b'<img src="cid:a">', b"'"),
    *(b"<body style='", b"position:fixed", b"var(--x)", b"<base href=x>", b"<font color=", b'"'),
    *(b'<img src="https://evil.example/p" width=1 height=1>', b"data-image=", b"<img ", b"}", b"{"),
]


def seeds() -> Iterator[bytes]:
    """Known attacks and honest mail."""
    yield b"<p>Hello <b>world</b> <img src=cid:a></p>"
    folder = corpora()
    if folder is None:
        return
    vectors = folder / "sanitize" / "vectors.jsonl"
    for line in filter(None, vectors.read_text("utf-8").splitlines()):
        yield json.loads(line)["payload"].encode()
    for path in sorted((folder / "sanitize").rglob("*.html")):
        if path.stat().st_size <= _SEED_BYTES:
            yield path.read_bytes()


def check(data: bytes) -> None:
    """What is shown is harmless to another parser too, and reads the same when it is read again."""
    html = data.decode("utf-8", "replace")
    safe = sanitised(html)
    assert all(image.source for image in safe.images if image.kind is not ImageKind.PART)
    shown = filled(safe, [("data-remote-src", "https://a.example/") for _ in safe.images])
    assert dangers_in(shown) == []
    assert dangers_in(filled(safe, [None for _ in safe.images])) == []
    kept = clean(html)
    assert clean(kept) == kept
    text = text_of_html(html)
    assert "\0" not in text
    text.encode("utf-8")
