"""What sync is told to do and asked: bus in, one action called."""

import time
from uuid import UUID

from services.sync.actions.ask_audit import ask_audit
from services.sync.actions.ask_check import ask_check
from services.sync.actions.ask_retelling import ask_retelling
from services.sync.actions.configure_client import configure_client
from services.sync.actions.connect_account import connect_account
from services.sync.actions.count_remains import count_remains
from services.sync.actions.file_sent_copies_later import file_sent_copies_later
from services.sync.actions.issue_token import issue_token
from services.sync.actions.keep_draft_later import keep_draft_later
from services.sync.actions.list_quarantine import list_quarantine
from services.sync.actions.locate_message import locate_message
from services.sync.actions.read_content import read_content
from services.sync.actions.read_proofs import read_proofs
from services.sync.actions.read_standing import read_standing
from services.sync.actions.redeem_code import redeem_code
from services.sync.actions.remove_account import remove_account
from services.sync.actions.seek_message import seek_message
from services.sync.actions.set_profile import set_profile
from services.sync.actions.switch_account import switch_account
from services.sync.actions.take_intent import take_intent
from services.sync.actions.try_server import try_server
from services.sync.metrics import ANSWER_SECONDS
from services.sync.world import World
from shared.bus import BucketAway, Ears, Retry
from shared.contracts.account import ConnectSync, RemoveSync, RetellAccount
from shared.contracts.attachment import FetchPart, PartAnswer, SlotWanted
from shared.contracts.audit import AuditMailbox, ProofsAnswer, ReadProofs
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import Problem
from shared.contracts.hints import AccountsFollowed
from shared.contracts.intent import CarryIntent
from shared.contracts.mail import ContentAnswer, ReadContent
from shared.contracts.oauth import (
    ConfigureClient,
    IssueToken,
    RedeemCode,
    Redeemed,
    TokenAnswer,
)
from shared.contracts.remains import CountSyncRemains, Remains
from shared.contracts.standing import (
    AccountAsked,
    CheckSync,
    ListQuarantine,
    PauseSync,
    QuarantineAnswer,
    ReadStanding,
    ResumeSync,
    SetSyncProfile,
    StandingAnswer,
)
from shared.contracts.submission import FileSentCopies, FileSentCopy, SeekMessage
from shared.contracts.trying import TryAnswer, TryImap

ears: Ears[World] = Ears("sync")


@ears.obey(ConnectSync)
async def obey_connect_sync(command: ConnectSync, world: World) -> None:
    """Keep a copy of this account from now on."""
    await connect_account(command, world.pool)
    world.relay.wake()
    await _asked(command.account_id, world)


@ears.obey(RemoveSync)
async def obey_remove_sync(command: RemoveSync, world: World) -> None:
    """Keep nothing of this account."""
    await remove_account(command, world.pool)
    world.removed.set()
    world.consents_left.set()
    world.relay.wake()
    await _asked(command.account_id, world)
    try:
        await world.bringing.forget(command.account_id)
    except BucketAway as error:
        raise Retry("the bucket is away") from error


@ears.obey(ConfigureClient)
async def obey_configure_client(command: ConfigureClient, world: World) -> None:
    """A tenant's own client at a provider is this one from now on."""
    await configure_client(command, world.pool)


@ears.obey(PauseSync)
async def obey_pause_sync(command: PauseSync, world: World) -> None:
    """Leave this account's server alone."""
    await switch_account(command, world.pool)
    world.relay.wake()
    await _asked(command.account_id, world)


@ears.obey(ResumeSync)
async def obey_resume_sync(command: ResumeSync, world: World) -> None:
    """Go on with this account."""
    await switch_account(command, world.pool)
    world.relay.wake()
    await _asked(command.account_id, world)


@ears.obey(SetSyncProfile)
async def obey_set_sync_profile(command: SetSyncProfile, world: World) -> None:
    """Use this account's server by what was said of it."""
    if await set_profile(command, world.pool):
        await _asked(command.account_id, world)


@ears.obey(CheckSync)
async def obey_check_sync(command: CheckSync, world: World) -> None:
    """Look at this account now."""
    if await ask_check(command, world.pool):
        await _asked(command.account_id, world)


async def _asked(account_id: UUID, world: World) -> None:
    """Who keeps the account, or is to keep it, is mostly another replica, and looks up only at its
    next beat unless it is told."""
    world.accounts_changed.set()
    await world.bus.hint(AccountAsked(account_id=account_id))


@ears.obey(CarryIntent)
async def obey_carry_intent(command: CarryIntent, world: World) -> None:
    """Carry out on a server what a person wants, in its turn."""
    waits = await take_intent(command, world.pool)
    world.relay.wake()
    if waits and not world.calls.carry(command.account_id):
        await world.bus.hint(AccountAsked(account_id=command.account_id))


@ears.notice(AccountsFollowed)
async def notice_accounts_followed(hint: AccountsFollowed, world: World) -> None:
    """Somebody is waiting for mail: ask a server that is near more often."""
    if world.followed.note(hint.account_ids, time.monotonic()):
        world.accounts_changed.set()


@ears.notice(AccountAsked)
async def notice_account_asked(hint: AccountAsked, world: World) -> None:
    """Somebody wants something of an account that may be ours."""
    world.calls.carry(hint.account_id)
    world.accounts_changed.set()


@ears.notice(SlotWanted)
async def notice_slot_wanted(hint: SlotWanted, world: World) -> None:
    """Another replica waits for a connection that may be ours, and idle or the only one."""
    world.bringing.spare(hint.account_id)
    if hint.only:
        world.to_lend.add(hint.account_id)
        world.accounts_changed.set()


@ears.obey(RetellAccount)
async def obey_retell_account(command: RetellAccount, world: World) -> None:
    """Tell a listener everything again."""
    await ask_retelling(command, world.pool)
    world.relay.wake()
    world.retelling_asked.set()


@ears.obey(AuditMailbox)
async def obey_audit_mailbox(command: AuditMailbox, world: World) -> None:
    """Compare a mailbox with its server soon."""
    await ask_audit(command, world.pool)


@ears.obey(KeepDraft)
async def obey_keep_draft(command: KeepDraft, world: World) -> None:
    """Let the mailbox for drafts have this draft as it now is."""
    await keep_draft_later(command, world.pool)
    world.copy_asked.set()


@ears.obey_several(FileSentCopy, several=100)
async def obey_file_sent_copies(commands: list[FileSentCopy], world: World) -> None:
    """See to it that sent messages are in Sent."""
    await file_sent_copies_later(commands, world.pool)
    world.copy_asked.set()


@ears.obey_several(FileSentCopies, several=16)
async def obey_file_pages_of_sent_copies(pages: list[FileSentCopies], world: World) -> None:
    """See to it that sent messages are in Sent."""
    await obey_file_sent_copies([copy for page in pages for copy in page.copies], world)


@ears.obey(SeekMessage)
async def obey_seek_message(command: SeekMessage, world: World) -> None:
    """Look for what shows that a message was sent."""
    await seek_message(command, world.pool)
    world.relay.wake()


@ears.answer(ReadContent)
async def answer_read_content(query: ReadContent, world: World) -> ContentAnswer:
    """What a message says."""
    began = time.perf_counter()
    answer = await read_content(query, world.request_pool)
    result = "ok" if answer.content is not None else "not_found"
    ANSWER_SECONDS.labels(result).observe(time.perf_counter() - began)
    return answer


@ears.answer(FetchPart)
async def answer_fetch_part(query: FetchPart, world: World) -> PartAnswer:
    """An attachment, or a message as it came, brought from its server."""
    where = await locate_message(query, world.request_pool)
    if where is None:
        return PartAnswer(problem=Problem(code="not_found"))
    return await world.bringing.bring(where, query.part, query.piece)


@ears.answer(ReadProofs)
async def answer_read_proofs(query: ReadProofs, world: World) -> ProofsAnswer:
    """What is on the server and what is kept of it."""
    return await read_proofs(query, world.request_pool)


@ears.answer(CountSyncRemains)
async def answer_count_remains(query: CountSyncRemains, world: World) -> Remains:
    """What is left of a tenant that was deleted."""
    return await count_remains(query, world.pool)


@ears.answer(ReadStanding)
async def answer_read_standing(query: ReadStanding, world: World) -> StandingAnswer:
    """How an account stands with its server."""
    return await read_standing(query, world.settings, world.request_pool)


@ears.answer(ListQuarantine)
async def answer_list_quarantine(query: ListQuarantine, world: World) -> QuarantineAnswer:
    """What could not be kept."""
    return await list_quarantine(query, world.request_pool)


@ears.answer(TryImap)
async def answer_try_imap(query: TryImap, world: World) -> TryAnswer:
    """Whether an account would work with its server."""
    return await try_server(query, world.settings, world.keys, world.refresher, world.pool)


@ears.answer(RedeemCode)
async def answer_redeem_code(query: RedeemCode, world: World) -> Redeemed:
    """Make a grant of somebody's consent."""
    return await redeem_code(query, world.settings, world.keys, world.pool)


@ears.answer(IssueToken)
async def answer_issue_token(query: IssueToken, world: World) -> TokenAnswer:
    """A token for sender to sign in with."""
    return await issue_token(query, world.refresher, world.sender_keys, world.pool)
