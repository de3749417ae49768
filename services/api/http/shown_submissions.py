"""Submissions as answers show them."""

import msgspec
from litestar import Response
from msgspec import Struct

from services.api.http.messages import Person
from services.api.http.moments import Moment
from services.api.http.paging import Page
from services.api.store.submissions import ShownSubmission
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Address
from shared.contracts.submission import Fate, Group, SubmissionState


class RecipientFate(Struct, frozen=True, kw_only=True):
    """What became of the message for one recipient, in the server's words."""

    email: str
    fate: Fate
    code: int | None
    enhanced_code: str | None
    server_said: str | None


class ShownGroup(Struct, frozen=True, kw_only=True):
    """People under one name."""

    group: str
    members: list[Person]


class Submission(Struct, frozen=True, kw_only=True):
    """A message on its way out, and how far it came."""

    id: str
    account_id: str
    state: SubmissionState
    sender: Person | None = msgspec.field(name="from")
    subject: str
    to: list[Person]
    cc: list[Person]
    bcc: list[Person]
    to_groups: list[ShownGroup]
    cc_groups: list[ShownGroup]
    in_reply_to: str | None
    forward_of: str | None
    message_id: str | None
    recipients: list[RecipientFate]
    attempts: int
    next_attempt_at: Moment | None  # while held, scheduled or deferred
    expires_at: Moment | None
    reason: str | None
    server_said: str | None
    filed: bool
    size_bytes: int | None  # once it is composed
    created_at: Moment
    updated_at: Moment


class SubmissionPage(Page[Submission], frozen=True, kw_only=True):
    """Some submissions, newest first. `next_cursor` is null at the end."""


def accepted(sent: ShownSubmission) -> Response[Submission]:
    """202: from now on it is our duty."""
    made = submission_of(sent)
    return Response(made, status_code=202, headers={"Location": f"/api/v1/submissions/{made.id}"})


def submission_of(sent: ShownSubmission) -> Submission:
    """A submission as answers show it."""
    return Submission(
        id=shown(Kind.SUBMISSION, sent.submission_id),
        account_id=shown(Kind.ACCOUNT, sent.account_id),
        state=SubmissionState(sent.state),
        sender=sent.sender and person_of(sent.sender),
        subject=sent.subject,
        to=people_of(sent.addressed.to),
        cc=people_of(sent.addressed.cc),
        bcc=people_of(sent.addressed.bcc),
        to_groups=groups_of(sent.addressed.to_groups),
        cc_groups=groups_of(sent.addressed.cc_groups),
        in_reply_to=sent.answers and shown(Kind.MESSAGE, sent.answers),
        forward_of=sent.forwards and shown(Kind.MESSAGE, sent.forwards),
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
        expires_at=sent.expires_at,
        reason=sent.reason,
        server_said=sent.server_said,
        filed=sent.filed,
        size_bytes=sent.size_bytes or None,
        created_at=sent.created_at,
        updated_at=sent.updated_at,
    )


def person_of(address: Address) -> Person:
    return Person(name=address.name, email=address.email)


def people_of(found: tuple[Address, ...]) -> list[Person]:
    return [person_of(address) for address in found]


def groups_of(found: tuple[Group, ...]) -> list[ShownGroup]:
    return [ShownGroup(group=one.name, members=people_of(one.members)) for one in found]
