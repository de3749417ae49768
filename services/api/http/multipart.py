"""A form with one file in it (multipart/form-data, RFC 7578), read as it comes."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from services.api.domain.refusals import FormBroken
from services.api.http.problems import FieldProblem, Invalid

FIELD = "file"
_MOST_PARTS = 20


@dataclass(frozen=True, slots=True)
class Head:
    """What is said about the file before it comes."""

    name: str
    content_type: str


def boundary_of(content_type: str | None) -> str:
    """What stands between the parts; raises Invalid for what is no such form."""
    kind, options = parse_options_header(content_type or "")
    boundary = options.get("boundary")
    if kind != "multipart/form-data" or not boundary:
        raise Invalid(
            [
                FieldProblem(
                    pointer="",
                    message="A form is needed: multipart/form-data, with the file in `file`.",
                    code="wrong_type",
                )
            ]
        )
    return boundary


async def read_file(
    stream: AsyncGenerator[bytes], boundary: str, most_bytes: int
) -> AsyncGenerator[Head | bytes]:
    """First what is said about the file, then the file.

    Raises FormBroken; Invalid where it does not hold one file; RequestEntityTooLarge.
    """
    found = False
    inside = False
    size = 0
    try:
        with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS) as parser:
            async for chunk in stream:
                if parser.closed:
                    continue  # what stands behind the form means nothing (RFC 2046 §5.1.1)
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        inside = event.name == FIELD and event.filename is not None
                        if inside and found:
                            raise _wrong("Upload one file at a time.", "too_many")
                        if inside:
                            found = True
                            yield Head(event.filename or "", event.content_type or "")
                    elif event and inside:
                        size += len(event)
                        if size > most_bytes:
                            raise RequestEntityTooLarge
                        yield bytes(event)
    except (MultipartError, UnicodeDecodeError):
        raise FormBroken from None
    if not found:
        raise _wrong("This field is required.", "missing")


def _wrong(message: str, code: str) -> Invalid:
    return Invalid([FieldProblem(pointer=f"/{FIELD}", message=message, code=code)])
