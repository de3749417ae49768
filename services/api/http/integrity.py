"""/accounts/{id}/integrity: the proof that nothing is missing."""

from collections.abc import Iterable
from typing import Annotated

from litestar import get
from litestar.params import FromPath
from msgspec import Meta, Struct

from services.api.actions.read_integrity import Integrity, MailboxIntegrity, read_integrity
from services.api.domain.rights import Scope
from services.api.http.moments import Moment
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from shared.contracts.ids import Kind, shown

_PROBLEMS = {
    "kept": "sync does not answer: server, kept, quarantined and proven_at are not known.",
    "searchable": "Search does not answer: searchable is not known.",
}

OnServer = Annotated[
    int | None, Meta(description="Messages on the mail server, as it said when last looked at.")
]
Kept = Annotated[int | None, Meta(description="Messages of these in our copy.")]
Listed = Annotated[
    int,
    Meta(description="Messages that lists have, with those they leave out as marked_deleted."),
]
MarkedDeleted = Annotated[
    int,
    Meta(
        description="Listed messages that lists and search do not show, because they are marked "
        "\\Deleted and not yet expunged (RFC 9051 §2.3.2)."
    ),
]
Searchable = Annotated[
    int | None,
    Meta(description="Messages that search has words of, with those left out as marked_deleted."),
]
Quarantined = Annotated[
    int | None, Meta(description="Messages on the server that could not be kept.")
]
Proven = Annotated[
    Moment | None,
    Meta(
        description="When all of it was last compared with the server, message by message; of an "
        "account, the oldest of these. Null: not all of it was, or it is not known."
    ),
]
Agrees = Annotated[
    bool | None,
    Meta(
        description="Whether server = kept + quarantined, and kept = listed = searchable. False "
        "for a moment while mail comes or goes; null when a number is not known."
    ),
]


class ShownMailboxIntegrity(Struct, frozen=True, kw_only=True):
    """The numbers of one mailbox. A `path` of null: it is not shown (yet)."""

    mailbox_id: str
    path: str | None
    server: OnServer
    kept: Kept
    listed: Listed
    marked_deleted: MarkedDeleted
    searchable: Searchable
    quarantined: Quarantined
    proven_at: Proven
    agrees: Agrees


class IntegrityProblem(Struct, frozen=True, kw_only=True):
    """Why some numbers are null."""

    code: str
    detail: str


class AccountIntegrity(Struct, frozen=True, kw_only=True):
    """How many messages are on the server, kept, listed, searchable: of all, and each mailbox."""

    account_id: str
    server: OnServer
    kept: Kept
    listed: Listed
    marked_deleted: MarkedDeleted
    searchable: Searchable
    quarantined: Quarantined
    proven_at: Proven
    agrees: Agrees
    mailboxes: list[ShownMailboxIntegrity]
    problems: list[IntegrityProblem]


@get(
    "/{account_id:str}/integrity",
    summary="Whether nothing is missing: four numbers that agree",
    security=needs(Scope.MAIL_READ),
)
async def integrity(request: Asking, account_id: FromPath[str]) -> AccountIntegrity:
    world = world_of(request)
    found = await read_integrity(
        world.request_pool, world.bus, request.user.caller, id_of(Kind.ACCOUNT, account_id)
    )
    return _account(account_id, found)


def _account(account_id: str, found: Integrity) -> AccountIntegrity:
    each = found.mailboxes
    proven = [one.proven_at for one in each]
    return AccountIntegrity(
        account_id=account_id,
        server=_sum((one.server for one in each), "kept" not in found.unanswered),
        kept=_sum((one.kept for one in each), "kept" not in found.unanswered),
        listed=sum(one.listed for one in each),
        marked_deleted=sum(one.marked_deleted for one in each),
        searchable=_sum((one.searchable for one in each), "searchable" not in found.unanswered),
        quarantined=_sum((one.quarantined for one in each), "kept" not in found.unanswered),
        proven_at=min((one for one in proven if one is not None), default=None)
        if None not in proven
        else None,
        agrees=_all(each, complete=not found.unanswered),
        mailboxes=[_mailbox(one) for one in each],
        problems=[
            IntegrityProblem(code=f"{what}_unavailable", detail=_PROBLEMS[what])
            for what in found.unanswered
        ],
    )


def _sum(numbers: Iterable[int | None], known: bool) -> int | None:
    return sum(number or 0 for number in numbers) if known else None


def _all(mailboxes: Iterable[MailboxIntegrity], *, complete: bool) -> bool | None:
    verdicts = [one.agrees for one in mailboxes]
    if False in verdicts:
        return False
    return True if complete and None not in verdicts else None


def _mailbox(one: MailboxIntegrity) -> ShownMailboxIntegrity:
    return ShownMailboxIntegrity(
        mailbox_id=shown(Kind.MAILBOX, one.mailbox_id),
        path=one.path,
        server=one.server,
        kept=one.kept,
        listed=one.listed,
        marked_deleted=one.marked_deleted,
        searchable=one.searchable,
        quarantined=one.quarantined,
        proven_at=one.proven_at,
        agrees=one.agrees,
    )
