"""What sender hears, obeys and answers: each of it one action."""

import asyncio

from services.sender.actions.change_submission import NotYetKnown, change_submission
from services.sender.actions.change_suppression import change_suppression
from services.sender.actions.connect_account import connect_account
from services.sender.actions.count_remains import count_remains
from services.sender.actions.freeze_submission import AccountUnknown, freeze_submission
from services.sender.actions.hold_account import NotConnected, hold_account
from services.sender.actions.list_suppressions import list_suppressions
from services.sender.actions.note_filed_copies import note_filed_copies
from services.sender.actions.note_reports import note_reports
from services.sender.actions.note_traces import note_traces
from services.sender.actions.preview_message import preview_message
from services.sender.actions.read_mime import read_mime
from services.sender.actions.remove_account import remove_account
from services.sender.actions.set_profile import set_profile
from services.sender.actions.try_server import try_server
from services.sender.domain.turns import Sender
from services.sender.world import World
from shared.bus import Ears, Retry
from shared.contracts.account import ConnectSender, HoldSender, RemoveSender
from shared.contracts.remains import CountSenderRemains, Remains
from shared.contracts.standing import SetSenderProfile
from shared.contracts.submission import (
    ChangeSubmission,
    ChangeSuppression,
    ListSuppressions,
    MessageSought,
    PreviewSubmission,
    ReadSubmissionMime,
    ReportReceived,
    SendMessage,
    SendMessages,
    SentCopyFiled,
    SubmissionMime,
    SubmissionPreview,
    SuppressionsAnswer,
)
from shared.contracts.trying import TryAnswer, TrySmtp

ears: Ears[World] = Ears("sender")


@ears.obey(ConnectSender)
async def obey_connect_sender(command: ConnectSender, world: World) -> None:
    """Send for this account from now on."""
    await connect_account(command, world.pool)
    world.have_due([Sender(command.tenant_id, command.account_id)])


@ears.obey(RemoveSender)
async def obey_remove_sender(command: RemoveSender, world: World) -> None:
    """Send nothing more for this account."""
    await remove_account(command, world.pool)
    world.relay.wake()


@ears.obey(HoldSender)
async def obey_hold_sender(command: HoldSender, world: World) -> None:
    """Send nothing for this account for now, or go on."""
    try:
        await hold_account(command, world.pool)
    except NotConnected as unknown:
        raise Retry("the account is not connected yet", after_seconds=1.0) from unknown
    world.relay.wake()
    if not command.held:
        world.have_due([Sender(command.tenant_id, command.account_id)])


@ears.obey(SetSenderProfile)
async def obey_set_sender_profile(command: SetSenderProfile, world: World) -> None:
    """Send as much for this account as was said of its server."""
    await set_profile(command, world.pool)
    world.have_due([Sender(command.tenant_id, command.account_id)])


@ears.obey(SendMessage, at_once=64)
async def obey_send_message(command: SendMessage, world: World) -> None:
    """Take over the duty to deliver this message."""
    # Where others wait it is not this one's turn.
    room = None if world.turns else world.room
    try:
        standing = await freeze_submission(command, world.freezing, room)
    except AccountUnknown as unknown:
        # Commands to connect and to send travel apart; the one may overtake the other.
        raise Retry("the account is not connected yet", after_seconds=1.0) from unknown
    world.relay.wake()
    if standing.gathers:
        world.letters.set()
    if standing.waits:
        world.have_due([Sender(command.tenant_id, command.account_id)])


@ears.obey(SendMessages, at_once=4)
async def obey_send_messages(command: SendMessages, world: World) -> None:
    """Take over the duty to deliver several."""
    # Those that are under way end first: all of them come again where one fails.
    ended = await asyncio.gather(
        *(obey_send_message(one, world) for one in command.messages), return_exceptions=True
    )
    for one in ended:
        if one is not None:
            raise one


@ears.obey(ChangeSubmission)
async def obey_change_submission(command: ChangeSubmission, world: World) -> None:
    """Do what can still be done about a submission."""
    try:
        await change_submission(command, world.pool)
    except NotYetKnown as unknown:
        raise Retry("the submission has not come yet", after_seconds=0.5) from unknown
    world.relay.wake()
    world.have_due([Sender(command.tenant_id, command.account_id)])


@ears.hear(SentCopyFiled, several=100)
async def on_sent_copies_filed(events: list[SentCopyFiled], world: World) -> None:
    """Copies are in Sent."""
    await note_filed_copies(events, world.pool)
    world.relay.wake()


@ears.hear(ReportReceived)
async def on_reports_received(events: list[ReportReceived], world: World) -> None:
    """Something bounced, was read, or was complained of."""
    await note_reports(events, world.pool)
    world.relay.wake()


@ears.hear(MessageSought)
async def on_messages_sought(events: list[MessageSought], world: World) -> None:
    """What shows that messages were sent."""
    await note_traces(events, world.pool)
    world.relay.wake()


@ears.obey(ChangeSuppression)
async def obey_change_suppression(command: ChangeSuppression, world: World) -> None:
    """Send nothing to an address any more, or again."""
    await change_suppression(command, world.pool)


@ears.answer(ListSuppressions)
async def answer_list_suppressions(query: ListSuppressions, world: World) -> SuppressionsAnswer:
    """Whom the caller's tenant sends nothing to."""
    return await list_suppressions(query, world.request_pool)


@ears.answer(CountSenderRemains)
async def answer_count_remains(query: CountSenderRemains, world: World) -> Remains:
    """What is left of a tenant that was deleted."""
    return await count_remains(query, world.pool)


@ears.answer(ReadSubmissionMime)
async def answer_read_submission_mime(query: ReadSubmissionMime, world: World) -> SubmissionMime:
    """The frozen bytes."""
    return await read_mime(query, world.request_pool)


@ears.answer(PreviewSubmission)
async def answer_preview_submission(query: PreviewSubmission, world: World) -> SubmissionPreview:
    """What a message would be."""
    return await preview_message(query, world.bus, world.pool, world.request_pool)


@ears.answer(TrySmtp)
async def answer_try_smtp(query: TrySmtp, world: World) -> TryAnswer:
    """Whether an account would work with its server."""
    return await try_server(query, world.settings, world.keys, world.tokens, world.pool)
