"""Whether a schema keeps what an earlier one promised."""

from typing import Any


def broken(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Each promise of `then` that `now` breaks."""
    complaints: list[str] = []
    later = now.get("$defs", {})
    for name, before in then.get("$defs", {}).items():
        after = later.get(name)
        if after is None:
            complaints.append(f"{name} is gone")
            continue
        if "enum" in before:
            complaints += [
                f"{name}: the word {word!r} is gone"
                for word in before["enum"]
                if word not in after.get("enum", [])
            ]
            continue
        fields = after.get("properties", {})
        for field, schema in before.get("properties", {}).items():
            if field not in fields:
                complaints.append(f"{name}.{field} is gone")
            elif _bare(fields[field]) != _bare(schema):
                complaints.append(f"{name}.{field} changed its meaning")
        newly = set(after.get("required", [])) - set(before.get("required", []))
        complaints += [f"{name}.{field} must now be there" for field in sorted(newly)]
    return complaints


def _bare(schema: Any) -> Any:
    """A schema without its descriptions and defaults, which promise nothing."""
    if isinstance(schema, dict):
        return {
            key: _bare(value)
            for key, value in schema.items()
            if key not in {"description", "default", "title"}
        }
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    return schema
