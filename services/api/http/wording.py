"""What is wrong with a value, in words and codes of our own, whatever library found it."""

import re
from collections.abc import Mapping
from typing import Any

_WHOLE = ("This must be a whole number.", "wrong_type")
_NUMBER = ("This must be a number.", "wrong_type")
_TEXT = ("This must be text.", "wrong_type")
_UNLIKE = ("This value is not accepted.", "invalid")

_BY_TYPE = {
    "missing": ("This field is required.", "missing"),
    "extra_forbidden": ("There is no such field.", "unknown_field"),
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": ("This must be true or false.", "wrong_type"),
    "bool_parsing": ("This must be true or false.", "wrong_type"),
    "tuple_type": ("This must be a list.", "wrong_type"),
    "model_type": ("This must be an object.", "wrong_type"),
}

# What msgspec says of a value in the query or a header.
_EXPECTED = re.compile(
    r"Expected `(?P<type>\w+)(?: \| null)?`"
    r"(?: of length (?P<length>[<>]=) (?P<most>\d+)| (?P<bound>[<>]=) (?P<end>[\d.]+))?"
)
_WORDS_OF = {"int": _WHOLE, "float": _NUMBER, "str": _TEXT}


def of_body(error: Mapping[str, Any]) -> tuple[str, str]:
    """What pydantic says of a part of a body: message and stable code."""
    kind: str = error["type"]
    ctx: Mapping[str, Any] = error.get("ctx", {})
    match kind:
        case "value_error":  # raised by a check of ours, in our words
            return str(error["msg"]).removeprefix("Value error, ")[:300], "invalid"
        case "wrong_type":  # so do these
            return str(error["msg"])[:300], kind
        case "string_too_short" | "too_short":
            return _too_short(ctx["min_length"], _unit(ctx))
        case "string_too_long" | "too_long":
            return _too_long(ctx["max_length"], _unit(ctx))
        case "greater_than_equal":
            return _too_small(ctx["ge"])
        case "less_than_equal":
            return _too_large(ctx["le"])
        case "enum" | "literal_error":
            choice = str(ctx["expected"]).replace("'", "")
            return f"This must be one of: {choice}.", "not_a_choice"
        case _:
            return _BY_TYPE.get(kind, _UNLIKE)


def of_parameter(message: str) -> tuple[str, str]:
    """What msgspec says of a parameter: message and stable code."""
    found = _EXPECTED.match(message)
    if found is None:
        return _UNLIKE
    match found["length"], found["bound"]:
        case ">=", _:
            return _too_short(int(found["most"]), "characters")
        case "<=", _:
            return _too_long(int(found["most"]), "characters")
        case _, ">=":
            return _too_small(float(found["end"]))
        case _, "<=":
            return _too_large(float(found["end"]))
        case _:
            return _WORDS_OF.get(found["type"], _UNLIKE)


def _unit(ctx: Mapping[str, Any]) -> str:
    return "entries" if ctx.get("field_type") in ("Tuple", "List") else "characters"


def _too_short(least: int, unit: str) -> tuple[str, str]:
    if least == 1:
        return "This must not be empty.", "too_short"
    return f"This must have at least {least} {unit}.", "too_short"


def _too_long(most: int, unit: str) -> tuple[str, str]:
    return f"This must have at most {most} {unit}.", "too_long"


def _too_small(least: float) -> tuple[str, str]:
    return f"This must be {least:g} or more.", "too_small"


def _too_large(most: float) -> tuple[str, str]:
    return f"This must be {most:g} or less.", "too_large"
