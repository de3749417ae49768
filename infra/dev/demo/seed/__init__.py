"""The first mail of the demo: about five hundred messages written for it, the same for everybody.

Only dates differ: they count back from the first start, so that the newest mail is of today.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b

from infra.dev.demo import DEMO_ACCOUNTS
from infra.dev.demo.seed.conversations import conversations
from infra.dev.demo.seed.invitations import invitations
from infra.dev.demo.seed.junk import junk
from infra.dev.demo.seed.languages import languages
from infra.dev.demo.seed.letter import Planted
from infra.dev.demo.seed.newsletters import newsletters
from infra.dev.demo.seed.oddities import oddities
from infra.dev.demo.seed.paperwork import paperwork
from infra.dev.demo.storage import MailboxRow, MessageRow, Storage

MAILBOXES = (
    "INBOX",
    "Drafts",
    "Sent",
    "Archive",
    "Junk",
    "Trash",
    "Projects",
    "Projects/Harbour Library",
    "Küche & Garten",
)


def plants(now: datetime) -> Iterator[Planted]:
    """Every message, in no order."""
    for written in (
        conversations,
        languages,
        newsletters,
        paperwork,
        invitations,
        oddities,
        junk,
    ):
        yield from written(now)


def sow(storage: Storage, now: datetime) -> None:
    """Fill the mailboxes, once."""
    if storage.seeded:
        return
    with storage.transaction():
        for account in DEMO_ACCOUNTS:
            for name in MAILBOXES:
                storage.add_mailbox(
                    account.address,
                    MailboxRow(
                        id=_mailbox_id(account.address, name),
                        name=name,
                        uid_validity=int(now.timestamp()),
                        next_uid=1,
                        subscribed=True,
                    ),
                )
        next_uid: dict[str, int] = {}
        for each in sorted(plants(now), key=lambda plant: plant.received_at):
            mailbox = _mailbox_id(each.owner, each.mailbox)
            uid = next_uid[mailbox] = next_uid.get(mailbox, 0) + 1
            row = MessageRow(
                uid=uid,
                email_id="M" + blake2b(each.raw, digest_size=16).hexdigest(),
                received_at=each.received_at.astimezone(UTC),
                flags=each.flags,
            )
            storage.add_message(mailbox, row, each.raw)
        storage.mark_seeded()


def _mailbox_id(owner: str, name: str) -> str:
    return "F" + blake2b(f"{owner}\n{name}".encode(), digest_size=16).hexdigest()
