"""How it is told what became of submissions, and what is to be filed: in pages of a tenant."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from shared.contracts.envelope import Told
from shared.contracts.submission import (
    FileSentCopies,
    FileSentCopy,
    SubmissionChanged,
    SubmissionsChanged,
)


def pages_of(changes: Iterable[SubmissionChanged]) -> list[Told]:
    """These as they travel. One that is alone travels alone."""
    in_order = sorted(changes, key=lambda change: change.tenant_id)
    told: list[Told] = []
    for _, of_tenant in groupby(in_order, key=lambda change: change.tenant_id):
        page: list[SubmissionChanged] = []
        recipients = 0
        for change in of_tenant:
            recipients += len(change.recipients)
            if page and (
                len(page) == SubmissionsChanged.MOST
                or recipients > SubmissionsChanged.MOST_RECIPIENTS
            ):
                told.append(_page(page))
                page, recipients = [], len(change.recipients)
            page.append(change)
        told.append(_page(page))
    return told


def _page(changes: Sequence[SubmissionChanged]) -> Told:
    if len(changes) == 1:
        return changes[0]
    return SubmissionsChanged(tenant_id=changes[0].tenant_id, changes=tuple(changes))


def filings_of(copies: Iterable[FileSentCopy]) -> list[Told]:
    """What is to be filed, as it travels."""
    in_order = sorted(copies, key=lambda copy: copy.tenant_id)
    told: list[Told] = []
    for tenant_id, of_tenant in groupby(in_order, key=lambda copy: copy.tenant_id):
        page = tuple(of_tenant)
        alone = len(page) == 1
        told.append(page[0] if alone else FileSentCopies(tenant_id=tenant_id, copies=page))
    return told
