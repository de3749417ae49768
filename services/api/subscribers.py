"""What the api hears from the bus: one thin function a channel, each calling one action."""

from services.api.actions.answer_upload import answer_upload
from services.api.actions.bury_accounts import bury_accounts
from services.api.actions.bury_messages import bury_messages
from services.api.actions.compare_audits import compare_audits
from services.api.actions.end_retelling import end_retelling
from services.api.actions.keep_account_states import (
    keep_account_states,
    keep_progress,
    keep_sending,
)
from services.api.actions.keep_mailboxes import keep_mailboxes
from services.api.actions.keep_messages import keep_messages
from services.api.actions.keep_retold_messages import keep_retold_messages
from services.api.actions.keep_submission_states import keep_submission_states
from services.api.actions.log_renumberings import log_renumberings
from services.api.actions.mark_messages import mark_messages
from services.api.actions.settle_intents import settle_intents
from services.api.world import World
from shared.bus import Ears
from shared.contracts.account import (
    AccountChanged,
    AccountProgressed,
    AccountRemoved,
    AccountRetold,
    SendingChanged,
)
from shared.contracts.audit import MailboxAudited
from shared.contracts.hints import LogGrew
from shared.contracts.intent import IntentSettled
from shared.contracts.mail import (
    MailboxesSynced,
    MailboxRenumbered,
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
)
from shared.contracts.submission import (
    ReadUpload,
    SubmissionChanged,
    SubmissionsChanged,
    UploadPiece,
)

SERVICE = "api"

# Pages of a hundred messages, taken at a time where nobody waits for them: those who ask for
# something meanwhile wait for one step. Many at once make long steps, and no less work.
_IN_BULK = 2

ears: Ears[World] = Ears(SERVICE)


@ears.hear(SendingChanged)
async def on_sending_changed(events: list[SendingChanged], world: World) -> None:
    """Show whether accounts can send."""
    await world.committed(await keep_sending(world.pool, events))


@ears.hear(AccountChanged)
async def on_account_changed(events: list[AccountChanged], world: World) -> None:
    """Show how accounts are doing."""
    await world.committed(await keep_account_states(world.pool, events))


@ears.hear(AccountProgressed)
async def on_account_progressed(events: list[AccountProgressed], world: World) -> None:
    """Show how far first copies came."""
    await world.committed(await keep_progress(world.pool, events))


@ears.hear(AccountRemoved)
async def on_account_removed(events: list[AccountRemoved], world: World) -> None:
    """Forget accounts that are forgotten."""
    await world.committed(await bury_accounts(world.pool, events))
    world.to_forget.set()


@ears.hear(AccountRetold)
async def on_account_retold(events: list[AccountRetold], world: World) -> None:
    """Learn that a retelling has ended."""
    ours = [event for event in events if event.listener == SERVICE]
    if ours and await end_retelling(world.pool, ours):
        world.to_forget.set()


@ears.hear(MailboxesSynced)
async def on_mailboxes_synced(events: list[MailboxesSynced], world: World) -> None:
    """Show mailboxes."""
    await world.committed(await keep_mailboxes(world.pool, events))


@ears.hear(MailboxRenumbered)
async def on_mailbox_renumbered(events: list[MailboxRenumbered], world: World) -> None:
    """Say that mailboxes were numbered anew."""
    await world.committed(await log_renumberings(world.pool, events))


@ears.hear(MailboxAudited)
async def on_mailbox_audited(events: list[MailboxAudited], world: World) -> None:
    """Hold what is shown against what was proven."""
    if await compare_audits(world.pool, events):
        world.relay.wake()


@ears.hear(MessagesSynced)
async def on_messages_synced(events: list[MessagesSynced], world: World) -> None:
    """Show messages that came."""
    await world.committed(await keep_messages(world.pool, events))


@ears.hear(MessagesFilled, several=_IN_BULK)
async def on_messages_filled(events: list[MessagesFilled], world: World) -> None:
    """Show messages that were there before us."""
    await world.committed(await keep_messages(world.pool, events))


@ears.hear(MessagesRetold, several=_IN_BULK)
async def on_messages_retold(events: list[MessagesRetold], world: World) -> None:
    """Take in what is told again."""
    ours = [event for event in events if event.listener == SERVICE]
    if ours and await keep_retold_messages(world.pool, ours):
        world.to_forget.set()


@ears.hear(MessagesChanged)
async def on_messages_changed(events: list[MessagesChanged], world: World) -> None:
    """Show messages where and as they are."""
    await world.committed(await mark_messages(world.pool, events))


@ears.hear(MessagesVanished)
async def on_messages_vanished(events: list[MessagesVanished], world: World) -> None:
    """Show no more what is gone."""
    await world.committed(await bury_messages(world.pool, events))


@ears.hear(IntentSettled)
async def on_intent_settled(events: list[IntentSettled], world: World) -> None:
    """Show what became of what people wanted."""
    await world.committed(await settle_intents(world.pool, events))


@ears.hear(SubmissionChanged, several=100)
async def on_submission_changed(events: list[SubmissionChanged], world: World) -> None:
    """Show what became of what was sent."""
    await _show_submissions(events, world)


@ears.hear(SubmissionsChanged)
async def on_submissions_changed(events: list[SubmissionsChanged], world: World) -> None:
    """Show what became of what was sent, told in pages."""
    await _show_submissions([change for event in events for change in event.changes], world)


async def _show_submissions(changes: list[SubmissionChanged], world: World) -> None:
    grew, told = await keep_submission_states(world.pool, changes)
    await world.committed(grew, told=told)


@ears.answer(ReadUpload)
async def answer_read_upload(query: ReadUpload, world: World) -> UploadPiece:
    """A piece of a file that somebody sends."""
    return await answer_upload(query, world.request_pool)


@ears.notice(LogGrew)
async def notice_log_grew(hint: LogGrew, world: World) -> None:
    """Wake who follows a log."""
    world.growth.grew(hint.tenant_id)
