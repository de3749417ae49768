"""People as callers write them: `Ada <ada@example.org>`, {name, email}, or a group of them."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.api.domain import addresses
from shared.contracts.mail import Address
from shared.contracts.submission import Group

MOST_RECIPIENTS = 500


def _list(given: Any) -> Any:
    if not isinstance(given, list | tuple):
        raise PydanticCustomError(
            "wrong_type", 'This must be a list of addresses, like ["ada@example.org"].'
        )
    return given  # pyright: ignore[reportUnknownVariableType]  - each is looked at on its own


def _person(given: Any) -> Any:
    """`Ada <ada@example.org>`, or {name, email}."""
    match given:
        case Address():
            return given
        case str():
            text = given
        case {"email": str(email), "name": str(name), **rest} if not rest:
            return _checked(Address(name.strip(), addresses.address_spec(email)))
        case {"email": str(text), **rest} if not rest:
            pass
        case _:
            raise ValueError("A recipient is `Name <address>`, or {name, email}.")
    if len(text) > 1000:
        raise ValueError("This is too long for an address.")
    return _checked(addresses.address(text))


def _recipient(given: Any) -> Any:
    match given:
        case Group():
            return given
        case {"group": str(name), "members": list(members), **rest} if not rest:
            if addresses.has_line_break(name) or len(name) > 200:
                raise ValueError("A group's name is one line of at most 200 characters.")
            if len(members) > MOST_RECIPIENTS:  # pyright: ignore[reportUnknownArgumentType]
                raise ValueError(f"A group has {MOST_RECIPIENTS} members at most.")
            return Group(name=name.strip(), members=tuple(_person(one) for one in members))
        case _:
            return _person(given)


def _checked(address: Address) -> Address:
    if addresses.has_line_break(address.name) or addresses.has_line_break(address.email):
        raise ValueError("A line break is not allowed here.")
    if len(address.name) > 200:
        raise ValueError("This is too long for a name.")
    return address


_FORMS: list[dict[str, Any]] = [
    {"type": "string", "maxLength": 1000},
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 200},
            "email": {"type": "string"},
        },
        "required": ["email"],
        "additionalProperties": False,
    },
]
_PERSON: dict[str, Any] = {
    "description": "`Name <address>`, the address alone, or both apart.",
    "oneOf": _FORMS,
}
_RECIPIENT: dict[str, Any] = {
    "description": "`Name <address>`, the address alone, both apart, or a group of those.",
    "oneOf": [
        *_FORMS,
        {
            "type": "object",
            "properties": {
                "group": {"type": "string", "maxLength": 200},
                "members": {"type": "array", "items": _PERSON, "maxItems": MOST_RECIPIENTS},
            },
            "required": ["group", "members"],
            "additionalProperties": False,
        },
    ],
}
SomePerson = Annotated[Address, BeforeValidator(_person), WithJsonSchema(_PERSON)]
People = Annotated[
    tuple[SomePerson, ...],
    Field(max_length=MOST_RECIPIENTS),  # of the tuple, so named before what comes before it
    BeforeValidator(_list),
]
Recipients = Annotated[
    tuple[Annotated[Address | Group, BeforeValidator(_recipient), WithJsonSchema(_RECIPIENT)], ...],
    Field(max_length=MOST_RECIPIENTS),
    BeforeValidator(_list),
]


def people_in(recipients: Iterable[Address | Group]) -> tuple[Address, ...]:
    """Those who stand in no group."""
    return tuple(one for one in recipients if isinstance(one, Address))


def groups_in(recipients: Iterable[Address | Group]) -> tuple[Group, ...]:
    return tuple(one for one in recipients if isinstance(one, Group))


def everybody_in(recipients: Iterable[Address | Group]) -> tuple[Address, ...]:
    """Each who gets the message, whether in a group or not."""
    return tuple(
        person
        for one in recipients
        for person in (one.members if isinstance(one, Group) else (one,))
    )
