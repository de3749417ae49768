"""/submissions: messages on their way out."""

import hashlib
from typing import Annotated, Any, Self

from litestar import Response, Router, get, post
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from msgspec import Struct
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.api.actions.send_message import Outgoing, send_message
from services.api.domain import addresses
from services.api.domain.cursors import After
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.limits import spend_exactly_as
from services.api.http.messages import Person
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts
from services.api.store import submissions as store
from services.api.store.submissions import Addressed, ShownSubmission
from shared.contracts.ids import Kind, NotAnId, read, shown
from shared.contracts.mail import Address
from shared.contracts.submission import Fate, SubmissionState
from shared.db import tenant_transaction

_MOST_RECIPIENTS = 500
_MOST_CHARACTERS = 2_000_000


def _list(given: Any) -> Any:
    if not isinstance(given, list | tuple):
        raise PydanticCustomError(
            "wrong_type", 'This must be a list of addresses, like ["ada@example.org"].'
        )
    return given  # pyright: ignore[reportUnknownVariableType]  - each is looked at on its own


def _recipient(given: Any) -> Any:
    """`Ada <ada@example.org>`, or {name, email}."""
    match given:
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


def _checked(address: Address) -> Address:
    if addresses.has_line_break(address.name) or addresses.has_line_break(address.email):
        raise ValueError("A line break is not allowed here.")
    if len(address.name) > 200:
        raise ValueError("This is too long for a name.")
    return address


_RECIPIENT = {
    "description": "`Name <address>`, the address alone, or both apart.",
    "oneOf": [
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
    ],
}
Recipients = Annotated[
    tuple[Annotated[Address, BeforeValidator(_recipient), WithJsonSchema(_RECIPIENT)], ...],
    Field(max_length=_MOST_RECIPIENTS),  # of the tuple, so named before what comes before it
    BeforeValidator(_list),
]
Text = Annotated[str, StringConstraints(max_length=_MOST_CHARACTERS)]


class NewSubmission(Body):
    """A message to send. Bcc is never in its headers."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    account_id: Annotated[str, StringConstraints(max_length=64)]
    to: Recipients = ()
    cc: Recipients = ()
    bcc: Recipients = ()
    subject: Annotated[Line, StringConstraints(max_length=998)] = ""
    text: Text | None = None
    html: Text | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("There must be a recipient in to, cc or bcc.")
        if len(self.to) + len(self.cc) + len(self.bcc) > _MOST_RECIPIENTS:
            raise ValueError(f"There may be {_MOST_RECIPIENTS} recipients at most.")
        return self


class RecipientFate(Struct, frozen=True, kw_only=True):
    """What became of the message for one recipient, in the server's words."""

    email: str
    fate: Fate
    code: int | None
    enhanced_code: str | None
    server_said: str | None


class Submission(Struct, frozen=True, kw_only=True):
    """A message on its way out, and how far it came."""

    id: str
    account_id: str
    state: SubmissionState
    subject: str
    to: list[Person]
    cc: list[Person]
    bcc: list[Person]
    message_id: str | None
    recipients: list[RecipientFate]
    attempts: int
    next_attempt_at: Moment | None
    reason: str | None
    server_said: str | None
    filed: bool
    created_at: Moment
    updated_at: Moment


class SubmissionPage(Page[Submission], frozen=True, kw_only=True):
    """Some submissions, newest first. `next_cursor` is null at the end."""


@post("", summary="Send a message", security=needs(Scope.MAIL_SEND))
async def create(
    request: Asking,
    data: JSONBody[NewSubmission],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            min_length=1,
            max_length=200,
            description="Repeat a request with its key, and it is carried out once.",
        ),
    ] = None,
) -> Response[Submission]:
    world = world_of(request)
    try:
        account_id = read(Kind.ACCOUNT, data.account_id)
    except NotAnId:
        raise Invalid(
            [
                FieldProblem(
                    pointer="/account_id", message="This is not an account's id.", code="invalid"
                )
            ]
        ) from None
    await spend_exactly_as(request, "send", str(request.user.claims.person_id))
    sent, grew = await send_message(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        Outgoing(
            account_id=account_id,
            addressed=Addressed(to=data.to, cc=data.cc, bcc=data.bcc),
            subject=data.subject,
            text=data.text if data.text is not None or data.html is not None else "",
            html=data.html,
            digest=hashlib.sha256(await request.body()).digest(),
        ),
        idempotency_key=idempotency_key,
    )
    await world.committed(grew, told=True)
    made = _submission(sent)
    return Response(made, status_code=202, headers={"Location": f"/api/v1/submissions/{made.id}"})


@get(
    "/{submission_id:str}",
    summary="One submission and what became of it",
    security=needs(Scope.MAIL_READ),
)
async def get_one(request: Asking, submission_id: FromPath[str]) -> Submission:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.by_id(
            connection, caller.tenant_id, id_of(Kind.SUBMISSION, submission_id)
        )
    if found is None:
        raise NotFound
    return _submission(found)


@get("", summary="List submissions, newest first", security=needs(Scope.MAIL_READ))
async def list_some(
    request: Asking,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SubmissionPage:
    caller = request.user.caller
    behind = after(cursor)
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if account and not await accounts.by_id(connection, caller.tenant_id, account):
            raise NotFound
        found = await store.newest(connection, caller.tenant_id, account, behind, limit + 1)
    return SubmissionPage(
        items=[_submission(one) for one in found[:limit]],
        next_cursor=After(found[limit - 1].created_at, found[limit - 1].submission_id).shown()
        if len(found) > limit
        else None,
    )


def router() -> Router:
    return Router("/submissions", route_handlers=[create, get_one, list_some], tags=["submissions"])


def _submission(sent: ShownSubmission) -> Submission:
    return Submission(
        id=shown(Kind.SUBMISSION, sent.submission_id),
        account_id=shown(Kind.ACCOUNT, sent.account_id),
        state=SubmissionState(sent.state),
        subject=sent.subject,
        to=_people(sent.addressed.to),
        cc=_people(sent.addressed.cc),
        bcc=_people(sent.addressed.bcc),
        message_id=sent.rfc_message_id,
        recipients=[
            RecipientFate(
                email=one.email,
                fate=one.fate,
                code=one.code,
                enhanced_code=one.enhanced_code,
                server_said=one.server_said,
            )
            for one in sent.recipients
        ],
        attempts=sent.attempts,
        next_attempt_at=sent.next_attempt_at,
        reason=sent.reason,
        server_said=sent.server_said,
        filed=sent.filed,
        created_at=sent.created_at,
        updated_at=sent.updated_at,
    )


def _people(found: tuple[Address, ...]) -> list[Person]:
    return [Person(name=address.name, email=address.email) for address in found]
