"""A message as a page: in a frame that has no origin, or on paper.

Whatever is in it, nothing of it runs and nobody but us is asked: the policy has a hash for the one
script that is ours, and no other source. The page has an origin of its own, which nobody shares
(HTML standard §7.1.1: opaque), so that even what ran could read no cookie, ask for nothing with
the session, and reach nothing of the page around it. Its images come by signed links.
"""

import base64
import hashlib
import html as markup
from collections.abc import Sequence

from litestar import MediaType, Response
from msgspec import Struct

# Tells the page around it how high it is and which keys are pressed, and folds what is quoted at
# the end. A message cannot take the place of anything used here: it has neither names nor ids of
# its own choosing (`css.named`).
_IN_A_FRAME = """
"use strict";
const tell = (said) => parent.postMessage(said, "*");
const size = () => tell({ height: Math.max(document.body.scrollHeight,
    document.documentElement.offsetHeight) });
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  tell({ key: event.key });
});
addEventListener("load", size);
const box = document.querySelector(".m-postbus");
const quotes = "blockquote, .m-gmail_quote, .m-yahoo_quoted, .m-protonmail_quote";
const outermost = box ? [...box.querySelectorAll(quotes)]
    .filter((one) => !one.parentElement.closest(quotes)) : [];
const last = outermost.at(-1);
if (last && last.textContent.trim()) {
  const around = document.createRange();
  around.setStartAfter(box.firstElementChild);
  around.setEndBefore(last);
  const before = around.toString().trim();
  around.setStartAfter(last);
  around.setEndAfter(box.lastChild);
  if (before && !around.toString().trim()) {
    const fold = document.createElement("details");
    const handle = document.createElement("summary");
    handle.textContent = "\u2022\u2022\u2022";
    last.replaceWith(fold);
    fold.append(handle, last);
  }
}
new ResizeObserver(size).observe(document.documentElement);
"""
_ON_PAPER = """
"use strict";
addEventListener("load", () => print());
"""


def _policy(script: str, allowed: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; img-src 'self' data:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
        f"sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox{allowed}"
    )


FRAME_POLICY = _policy(_IN_A_FRAME, "")
PAPER_POLICY = _policy(_ON_PAPER, " allow-modals")  # printing is a dialog

_PAGE = """\
<!doctype html>
<html><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ margin: 0 }} pre {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }}
body > header {{ font: 10pt sans-serif; border-bottom: 1px solid; margin-bottom: 1em }}
body > header h1 {{ font-size: 14pt }} body > header p {{ margin: 0.3em 0 }}
details > summary {{ width: 3em; margin: 0.5em 0; border-radius: 1em; text-align: center;
    list-style: none; cursor: pointer; background: #e8e8e8; color: #444 }}
</style></head><body>{head}{body}<script>{script}</script></body></html>
"""


class Line(Struct, frozen=True):
    """A line above a message on paper, as `From: Ada <ada@example.org>`."""

    name: str
    value: str


def in_a_frame(title: str, html: str | None, text: str) -> Response[str]:
    """The message for a frame, which learns its height and the keys pressed in it."""
    return _answer(title, "", html, text, _IN_A_FRAME, FRAME_POLICY)


def on_paper(title: str, lines: Sequence[Line], html: str | None, text: str) -> Response[str]:
    """The message with what stands above it, which has itself printed."""
    head = "".join(
        f"<p><b>{markup.escape(line.name)}:</b> {markup.escape(line.value)}</p>"
        for line in lines
        if line.value
    )
    head = f"<header><h1>{markup.escape(title)}</h1>{head}</header>"
    return _answer(title, head, html, text, _ON_PAPER, PAPER_POLICY)


def _answer(
    title: str, head: str, html: str | None, text: str, script: str, policy: str
) -> Response[str]:
    body = html if html is not None else f"<pre>{markup.escape(text)}</pre>"
    return Response(
        _PAGE.format(title=markup.escape(title), head=head, body=body, script=script),
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": policy, "X-DNS-Prefetch-Control": "off"},
    )
