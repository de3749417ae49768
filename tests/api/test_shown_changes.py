from uuid import UUID

from services.api.domain.changes import Asked, Shown, shown_after, steps_back
from shared.contracts.intent import Copy, Destroy, Label, Mark, MessageChange, Move, Step

INBOX, ARCHIVE = UUID(int=1), UUID(int=2)
ONE, TWO = UUID(int=11), UUID(int=12)


def shown(*keywords: str, mailbox_id: UUID | None = INBOX, labels: tuple[str, ...] = ()) -> Shown:
    return Shown(mailbox_id=mailbox_id, keywords=keywords, labels=labels)


def mark(add: str = "", remove: str = "") -> Mark:
    return Mark(add=frozenset(add.split()), remove=frozenset(remove.split()))


def test_changes_show_in_their_order() -> None:
    changes: list[MessageChange] = [
        mark("\\Seen $label1"),
        Move(mailbox_id=ARCHIVE),
        mark("", "\\seen"),
        Label(add=frozenset({"Work"}), remove=frozenset({"Home"})),
        Copy(mailbox_id=INBOX),
    ]
    assert shown_after(changes, shown(labels=("Home",))) == shown(
        "$label1", mailbox_id=ARCHIVE, labels=("Work",)
    )
    assert shown_after([Destroy()], shown()).mailbox_id is None


def test_taking_back_gives_each_message_what_it_had_and_nothing_it_had_not() -> None:
    steps = [
        Step(change=mark("\\Seen", "$Junk"), message_ids=(ONE, TWO)),
        Step(change=Move(mailbox_id=ARCHIVE), message_ids=(ONE, TWO)),
    ]
    was = {ONE: shown("\\SEEN", "$junk"), TWO: shown(mailbox_id=ARCHIVE)}
    back = steps_back(steps, was)
    assert {(step.change, step.message_ids) for step in back} == {
        (Move(mailbox_id=INBOX), (ONE,)),
        (mark("$Junk"), (ONE,)),
        (mark("", "\\Seen"), (TWO,)),
    }
    for message_id, before in was.items():
        there = shown_after((step.change for step in steps), before)
        again = shown_after((step.change for step in back if message_id in step.message_ids), there)
        assert again.mailbox_id == before.mailbox_id
        assert {one.lower() for one in again.keywords} == {one.lower() for one in before.keywords}


def test_only_what_nothing_brings_back_is_final() -> None:
    assert Asked(changes=(mark("\\Seen"), Destroy())).is_final
    assert not Asked(changes=(mark("\\Seen"), Move(mailbox_id=ARCHIVE))).is_final
