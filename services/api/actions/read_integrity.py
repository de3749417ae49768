"""Whether an account's mail is whole: on the server, kept, listed, searchable."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import accounts, audits
from services.api.store.audits import ListedMailbox
from shared.bus import Bus, NoAnswer
from shared.contracts.audit import (
    CountSearchable,
    MailboxProof,
    ProofsAnswer,
    ReadProofs,
    SearchableAnswer,
)
from shared.contracts.envelope import Caller, Query
from shared.db import Pool, tenant_transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxIntegrity:
    """The numbers of one mailbox; None where nobody answered."""

    mailbox_id: UUID
    path: str | None  # None: sync has a mailbox that is not shown here
    server: int | None
    kept: int | None
    listed: int
    marked_deleted: int  # of the listed ones, which lists leave out
    searchable: int | None
    quarantined: int | None
    proven_at: datetime | None

    @property
    def agrees(self) -> bool | None:
        """Whether nothing is missing anywhere; None where that is not known."""
        if self.server is None or self.kept is None or self.quarantined is None:
            return None
        if self.server != self.kept + self.quarantined or self.listed != self.kept:
            return False
        return None if self.searchable is None else self.searchable == self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """The numbers of an account, and who did not answer."""

    mailboxes: Sequence[MailboxIntegrity]
    unanswered: Sequence[str]  # kept, searchable


async def read_integrity(pool: Pool, bus: Bus, caller: Caller, account_id: UUID) -> Integrity:
    """The numbers of each mailbox of an account, as they are now; raises NotFound.

    They are counted by three services one beside the other: while mail comes, they may differ for
    a moment.
    """
    whose = Caller(
        tenant_id=caller.tenant_id,
        account_ids=tuple(one for one in caller.account_ids if one == account_id),
        request_id=caller.request_id,
    )
    async with tenant_transaction(pool, whose) as connection:
        if await accounts.by_id(connection, whose.tenant_id, account_id) is None:
            raise NotFound
    listed, kept, searchable = await asyncio.gather(
        _listed(pool, whose, account_id),
        _asked(bus, ReadProofs(caller=whose, account_id=account_id), ProofsAnswer),
        _asked(bus, CountSearchable(caller=whose, account_id=account_id), SearchableAnswer),
    )
    unanswered = {"kept": kept, "searchable": searchable}
    return Integrity(
        mailboxes=_together(
            listed,
            None if kept is None else kept.mailboxes,
            None
            if searchable is None
            else {one.mailbox_id: one.searchable for one in searchable.mailboxes},
        ),
        unanswered=[what for what, answer in unanswered.items() if answer is None],
    )


async def _listed(pool: Pool, caller: Caller, account_id: UUID) -> list[ListedMailbox]:
    async with tenant_transaction(pool, caller) as connection:
        return await audits.listed(connection, caller.tenant_id, account_id)


async def _asked(bus: Bus, query: Query, answer: type[T]) -> T | None:
    try:
        return await bus.ask(query, answer)
    except NoAnswer:
        return None


def _together(
    listed: Iterable[ListedMailbox],
    proofs: Iterable[MailboxProof] | None,
    searchable: dict[UUID, int] | None,
) -> list[MailboxIntegrity]:
    """Every mailbox that anybody has messages of, or that can be read."""
    shown = {one.mailbox_id: one for one in listed}
    proven = None if proofs is None else {one.mailbox_id: one for one in proofs}
    together: list[MailboxIntegrity] = []
    for mailbox_id in dict.fromkeys([*shown, *(proven or ()), *(searchable or ())]):
        ours = shown.get(mailbox_id)
        there = ours.shown + ours.marked_deleted if ours else 0
        found = None if searchable is None else searchable.get(mailbox_id, 0)
        proof = (proven or {}).get(mailbox_id)
        if not proof and not there and not found and (proven is not None or not _read(ours)):
            continue  # nobody has anything of it, and it is not a mailbox to have anything of
        if proof is None and proven is not None:
            proof = MailboxProof(mailbox_id=mailbox_id, server=0, kept=0, quarantined=0)
        together.append(
            MailboxIntegrity(
                mailbox_id=mailbox_id,
                path=ours and ours.path,
                server=proof and proof.server,
                kept=proof and proof.kept,
                listed=there,
                marked_deleted=ours.marked_deleted if ours else 0,
                searchable=found,
                quarantined=proof and proof.quarantined,
                proven_at=proof and proof.proven_at,
            )
        )
    return together


def _read(mailbox: ListedMailbox | None) -> bool:
    return mailbox is not None and mailbox.selectable
