"""/docs: the OpenAPI document as a plain page. No scripts, nothing loaded from elsewhere."""

from html import escape
from typing import Any

from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2.5rem;border-bottom:1px solid #ddd}code{background:#f4f4f4;padding:.1em .3em}
.m{display:inline-block;min-width:4.5em;font-weight:700}details{margin:.6rem 0}
table{border-collapse:collapse}td{padding:.2rem .8rem .2rem 0;vertical-align:top}
pre{background:#f4f4f4;padding:.8rem;overflow:auto}
"""


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
            f"<p>{escape(info.get('description', ''))}",
            "<p>The same as OpenAPI: <a href=/api/v1/openapi.json>openapi.json</a>.",
        ]
        sections: dict[str, list[str]] = {}
        for path, item in openapi_schema["paths"].items():
            for method, operation in item.items():
                if isinstance(operation, dict) and "responses" in operation:
                    tag = (operation.get("tags") or ["other"])[0]
                    sections.setdefault(tag, []).append(_operation(path, method, operation))
        for tag, operations in sections.items():
            parts += [f"<h2>{escape(tag)}</h2>", *operations]
        parts.append("<h2>schemas</h2>")
        for name, schema in openapi_schema["components"]["schemas"].items():
            parts.append(_schema(name, schema))
        return "".join(parts).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}"
        f"<td>{escape(one.get('description', ''))}"
        for one in operation.get("parameters", [])
    ]
    bodies = [
        f"<p>Body: {_reference(content.get('schema', {}))}"
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    answers = [
        f"<p>{escape(status)}: "
        + ", ".join(
            _reference(content.get("schema", {})) for content in answer.get("content", {}).values()
        )
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    return (
        f"<details><summary><span class=m>{method.upper()}</span><code>{escape(path)}</code> "
        f"{escape(operation.get('summary') or '')}</summary>"
        f"<table>{''.join(rows)}</table>{''.join(bodies)}{''.join(answers)}</details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"<tr><td><code>{escape(field)}</code>{'' if field in required else '?'}"
        f"<td>{_reference(kind)}"
        for field, kind in schema.get("properties", {}).items()
    ]
    about = escape(str(schema.get("description") or ""))
    return f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{about}<table>{''.join(rows)}</table>"


def _reference(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "items" in schema:
        return f"list of {_reference(schema['items'])}"
    if "oneOf" in schema:
        return " or ".join(_reference(one) for one in schema["oneOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    return escape(str(schema.get("type", "anything")))
