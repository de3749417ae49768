"""/docs: the OpenAPI document as a plain page. No scripts, nothing loaded from elsewhere."""

import re
from html import escape
from typing import Any

import msgspec
from litestar import MediaType, Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2.5rem;border-bottom:1px solid #ddd}code{background:#f4f4f4;padding:.1em .3em}
.m{display:inline-block;min-width:4.5em;font-weight:700}details{margin:.6rem 0}
table{border-collapse:collapse}.t{white-space:pre-line}
td{padding:.2rem .8rem .2rem 0;vertical-align:top}
pre{white-space:pre-wrap;background:#f4f4f4;padding:.8rem;overflow:auto}
"""
_CODE = re.compile(r"`([^`]+)`")
_LIMITS = {
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "maxItems": "entries at most",
    "minimum": "from",
    "maximum": "to",
}


class PageRenderPlugin(OpenAPIRenderPlugin):
    """Renders every operation, its parameters and its bodies."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        info = openapi_schema["info"]
        parts = [
            "<!doctype html><html lang=en><meta charset=utf-8>",
            "<meta name=viewport content='width=device-width'>",
            f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>",
            *(f"<p>{_prose(part)}" for part in info.get("description", "").split("\n\n")),
            "<p>The same as OpenAPI: <a href=/api/v1/openapi.json>openapi.json</a>.",
        ]
        sections: dict[str, list[str]] = {}
        for path, item in openapi_schema["paths"].items():
            for method, operation in item.items():
                if isinstance(operation, dict) and "responses" in operation:
                    tag = (operation.get("tags") or ["other"])[0]
                    shown = _operation(path, method, operation)
                    sections.setdefault(tag, []).append(shown)
        for tag, operations in sections.items():
            parts += [f"<h2>{escape(tag)}</h2>", *operations]
        parts.append("<h2>schemas</h2>")
        for name, schema in openapi_schema["components"]["schemas"].items():
            parts.append(_schema(name, schema))
        return "".join(parts).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    needed = next(iter(operation.get("security", ())), None)
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code>{'' if one.get('required') else '?'}"
        f"<td>{escape(one['in'])}<td>{_reference(one['schema'])}{_limits(one['schema'])}"
        f"<td class=t>{_prose(one.get('description', ''))}"
        for one in operation.get("parameters", [])
    ]
    bodies = [
        f"<p>Body: {_content(media_type, content)}"
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        f"<p>{escape(status)}: "
        + "".join(
            _content(media_type, content)
            for media_type, content in answer.get("content", {}).items()
        )
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    problems = [
        f"<tr><td>{escape(status)}<td>{_prose(answer['description'])}"
        for status, answer in operation["responses"].items()
        if not status.startswith("2")
    ]
    return (
        f"<details><summary><span class=m>{method.upper()}</span><code>{escape(path)}</code> "
        f"{escape(operation.get('summary') or '')}</summary>"
        f"<p>{'Without a token' if needed is None else _needs(needed)}"
        f"<table>{''.join(rows)}</table>{''.join(bodies)}{''.join(answers)}"
        f"<p>Problems:<table>{''.join(problems)}</table></details>"
    )


def _needs(needed: dict[str, list[str]]) -> str:
    scopes = "".join(f", <code>{escape(name)}</code>" for name in next(iter(needed.values())))
    return f"With <code>Authorization: Bearer …</code>{scopes}"


def _content(media_type: str, content: dict[str, Any]) -> str:
    schema: dict[str, Any] = content.get("schema", {})
    example = content.get("example")
    parts = [_reference(schema)]
    if media_type != MediaType.JSON:
        parts.append(
            f" as <code>{escape(media_type)}</code> {escape(schema.get('description', ''))}"
        )
    if example is not None:
        text = example if isinstance(example, str) else msgspec.json.encode(example).decode()
        parts.append(f"<pre>{escape(text)}</pre>")
    return "".join(parts)


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"<tr><td><code>{escape(field)}</code>{'' if field in required else '?'}"
        f"<td>{_reference(kind)}{_limits(kind)}<td>{_prose(kind.get('description', ''))}"
        for field, kind in schema.get("properties", {}).items()
    ]
    about = _prose(str(schema.get("description") or ""))
    if "enum" in schema:
        about += f"<p>One of: {_reference(schema)}"
    shown = "".join(
        f"<pre>{escape(msgspec.json.encode(one).decode())}</pre>"
        for one in schema.get("examples", ())
    )
    return (
        f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{about}"
        f"<table>{''.join(rows)}</table>{shown}"
    )


def _prose(text: str) -> str:
    """Text as OpenAPI has it (CommonMark), of which we use `code` only."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _limits(schema: dict[str, Any]) -> str:
    """What a value may be, in short."""
    either = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(either) == 1:
        schema = {**schema, **either[0]}
    said = [f"{word} {int(schema[key])}" for key, word in _LIMITS.items() if key in schema]
    if "default" in schema:
        said.append(f"default {msgspec.json.encode(schema['default']).decode()}")
    return f", {escape(', '.join(said))}" if said else ""


def _reference(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "items" in schema:
        return f"list of {_reference(schema['items'])}"
    for either in ("oneOf", "anyOf"):
        if either in schema:
            return " or ".join(_reference(one) for one in schema[either])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    return escape(str(schema.get("type", "anything")))
