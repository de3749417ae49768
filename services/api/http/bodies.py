"""Request bodies: judged by pydantic, and everything that is wrong with one is said at once."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

import msgspec
from litestar import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from services.api.domain import addresses
from services.api.domain.hosts import host_of
from services.api.http import wording
from services.api.http.problems import FieldProblem, Invalid, Malformed

_MOST_ERRORS = 100
_MOST_VALUES = 20_000


class ApiRequest(Request[Any, Any, Any]):
    """A request whose body is JSON, however it is labelled."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except RecursionError:
            raise Malformed("The JSON is nested too deeply.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Malformed(f"The body is not JSON: {error}") from None


class Body(BaseModel):
    """The base of all request bodies."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **how: Any) -> Self:
        """Litestar validates by this; raises Invalid with every error and where it is."""
        errors = [
            FieldProblem(pointer=pointer, message="NUL is not allowed in text.", code="nul")
            for pointer in _with_nul(obj)
        ]
        try:
            body = super().model_validate(obj, **how)
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False, include_input=False):
                message, code = wording.of_body(error)
                pointer = "".join(f"/{_escaped(part)}" for part in error["loc"])[:500]
                errors.append(FieldProblem(pointer=pointer, message=message, code=code))
            raise Invalid(errors[:_MOST_ERRORS]) from None
        if errors:
            raise Invalid(errors[:_MOST_ERRORS])
        return body


def _with_nul(body: Any) -> Iterator[str]:
    """Where in a body NUL stands, which PostgreSQL cannot keep; raises Malformed for a huge one.

    Nothing that we accept has so many values, and to look at millions, and to say of each what
    is wrong with it, would keep everybody else waiting.
    """
    waiting: list[tuple[Any, str]] = [(body, "")]
    seen = 0
    while waiting:
        value, pointer = waiting.pop()
        match value:
            case str():
                if "\0" in value:
                    yield pointer[:500]
            case dict() | list():
                seen += len(value)
                if seen > _MOST_VALUES:
                    raise Malformed("The JSON has too many values.")
                if any("\0" in key for key in value if isinstance(key, str)):
                    yield pointer[:500]
                members = value.items() if isinstance(value, dict) else enumerate(value)
                waiting += ((item, f"{pointer}/{_escaped(key)}"[:500]) for key, item in members)
            case _:
                continue


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901 §3


# --- What people type ---------------------------------------------------------------------------


def _line(text: str) -> str:
    if addresses.has_line_break(text):
        raise ValueError("A line break is not allowed here.")
    return text


Line = Annotated[str, AfterValidator(_line)]
Name = Annotated[
    str, StringConstraints(max_length=200, strip_whitespace=True), AfterValidator(_line)
]
Host = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(host_of)]
EmailAddress = Annotated[
    str, StringConstraints(min_length=1, max_length=320), AfterValidator(addresses.address_spec)
]
