"""Whether an OpenAPI document keeps what an earlier one promised to callers."""

from collections.abc import Iterator
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")
_MEANING = ("type", "format", "const", "items", "$ref", "anyOf", "oneOf", "allOf", "prefixItems")


def broken(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Each promise of `then` that `now` breaks."""
    complaints: list[str] = []
    for path, item in then["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            operation = now["paths"].get(path, {}).get(method)
            name = f"{method.upper()} {path}"
            if operation is None:
                complaints.append(f"{name} is gone")
            else:
                complaints += _operation(name, item[method], operation)
    asked, answered = _used(now)
    for name, schema in then["components"]["schemas"].items():
        later = now["components"]["schemas"].get(name)
        if later is not None:
            complaints += _schema(name, schema, later, asked=name in asked, told=name in answered)
        elif name in _used(then)[1]:
            complaints.append(f"the schema {name} is gone")
    return complaints


def _operation(name: str, then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    parameters = {(one["in"], one["name"]): one for one in now.get("parameters", ())}
    before = {(one["in"], one["name"]) for one in then.get("parameters", ())}
    for key in sorted(before - parameters.keys()):
        yield f"{name}: the parameter {key[1]} is gone"
    for key, one in parameters.items():
        if key not in before and one.get("required"):
            yield f"{name}: the parameter {key[1]} must now be given"
    if "requestBody" in now and "requestBody" not in then and now["requestBody"].get("required"):
        yield f"{name} now needs a body"
    for status, answer in then["responses"].items():
        if status.startswith("2"):
            kinds = set(answer.get("content", {}))
            later = now["responses"].get(status)
            if later is None:
                yield f"{name} no longer answers {status}"
            elif missing := kinds - set(later.get("content", {})):
                yield f"{name} no longer answers as {', '.join(sorted(missing))}"


def _schema(name: str, then: Any, now: Any, *, asked: bool, told: bool) -> Iterator[str]:
    words = {str(word) for word in then.get("enum", ())}
    if told or asked:
        gone = words - {str(word) for word in now.get("enum", ())}
        if gone and asked:
            yield f"{name}: {', '.join(sorted(gone))} is not understood any more"
    fields = now.get("properties", {})
    for field, schema in then.get("properties", {}).items():
        if field not in fields:
            yield f"{name}.{field} is gone"
        elif _meaning(fields[field]) != _meaning(schema):
            yield f"{name}.{field} changed its meaning"
    if asked:
        for field in sorted(set(now.get("required", ())) - set(then.get("required", ()))):
            yield f"{name}.{field} must now be given"
    if told:
        for field in sorted(set(then.get("required", ())) - set(now.get("required", ()))):
            yield f"{name}.{field} may now be missing"


def _used(document: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The schemas of what callers say, and of what they are told."""
    asked: set[str] = set()
    told: set[str] = set()
    for item in document["paths"].values():
        for method in _METHODS:
            operation = item.get(method, {})
            _follow(operation.get("requestBody"), document, asked)
            _follow(operation.get("responses"), document, told)
    return asked, told


def _follow(part: Any, document: dict[str, Any], found: set[str]) -> None:
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
        if "$ref" in part and name in document["components"]["schemas"] and name not in found:
            found.add(name)
            _follow(document["components"]["schemas"][name], document, found)
        for value in part.values():
            _follow(value, document, found)
    elif isinstance(part, list):
        for value in part:
            _follow(value, document, found)


def _meaning(schema: Any) -> Any:
    """What callers rely on, without words and limits: those may become wider."""
    if isinstance(schema, dict):
        return {key: _meaning(schema[key]) for key in _MEANING if key in schema}
    if isinstance(schema, list):
        return sorted((_meaning(part) for part in schema), key=str)
    return schema
