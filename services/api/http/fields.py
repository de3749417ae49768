"""`fields=`: of each entry of a list only what is asked for."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.spec import OpenAPI, OpenAPIType, Operation, Parameter, Reference, Schema

from services.api.http.problems import FieldProblem, Invalid

_PARAMETER = "fields"
_CHOSEN = "postbus_fields"
_DESCRIPTION = "Of each entry only these, comma-separated: `id,subject`. Everything unless told."


async def chosen(request: Request[Any, Any, Any]) -> None:
    """Remember what is asked for; raises Invalid for what no entry of this list has."""
    scope: Any = request.scope
    if not scope["query_string"] or request.method != "GET":
        return
    known: frozenset[str] | None = request.app.state.fields.get(scope["path_template"])
    asked = request.query_params.get(_PARAMETER)
    if known is None or asked is None:
        return
    names = {name.strip() for name in asked.split(",")} - {""}
    errors = [
        FieldProblem(
            parameter=_PARAMETER, message=f"There is no field {name[:50]!r}.", code="not_a_choice"
        )
        for name in sorted(names - known)
    ]
    if errors or not names:
        raise Invalid(
            errors
            or [FieldProblem(parameter=_PARAMETER, message="Name a field.", code="too_short")]
        )
    scope[_CHOSEN] = names


def only_chosen(scope: Any, body: bytes) -> bytes:
    """A list with what was asked for of each entry."""
    names: set[str] | None = scope.get(_CHOSEN)
    if names is None:
        return body
    page = msgspec.json.decode(body)
    page["items"] = [
        {name: value for name, value in entry.items() if name in names} for entry in page["items"]
    ]
    return msgspec.json.encode(page)


def fields_of(document: OpenAPI) -> Mapping[str, frozenset[str]]:
    """What entries of each list have, by the list's path; the document learns of the parameter."""
    found: dict[str, frozenset[str]] = {}
    schemas: Any = document.components.schemas
    for path, item in (document.paths or {}).items():
        if item.get is None:
            continue
        entry = _entry(item.get, schemas)
        if entry is not None:
            found[path] = frozenset(entry["properties"])
            item.get.parameters = [
                *(item.get.parameters or ()),
                Parameter(
                    name=_PARAMETER,
                    param_in="query",
                    description=_DESCRIPTION,
                    schema=Schema(type=OpenAPIType.STRING),
                ),
            ]
    return found


def _entry(operation: Operation, schemas: Mapping[str, Any]) -> Any:
    """The schema of an entry of the list that this answers, if it answers one."""
    answer: Any = (operation.responses or {}).get("200")
    content = (getattr(answer, "content", None) or {}).get("application/json")
    if content is None or not isinstance(content.schema, Reference):
        return None
    page = schemas[content.schema.ref.rpartition("/")[2]]
    items = page.get("properties", {}).get("items", {}).get("items", {})
    return schemas[items["$ref"].rpartition("/")[2]] if "$ref" in items else None
