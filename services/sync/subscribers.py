"""What sync is told to do and asked: bus in, one action called."""

import time

from services.sync.actions.ask_retelling import ask_retelling
from services.sync.actions.connect_account import connect_account
from services.sync.actions.file_sent_copy_later import file_sent_copy_later
from services.sync.actions.read_content import read_content
from services.sync.actions.remove_account import remove_account
from services.sync.metrics import ANSWER_SECONDS
from services.sync.world import World
from shared.bus import Ears
from shared.contracts.account import ConnectSync, RemoveSync, RetellAccount
from shared.contracts.mail import ContentAnswer, ReadContent
from shared.contracts.submission import FileSentCopy

ears: Ears[World] = Ears("sync")


@ears.obey(ConnectSync)
async def obey_connect_sync(command: ConnectSync, world: World) -> None:
    """Keep a copy of this account from now on."""
    await connect_account(command, world.pool)
    world.relay.wake()
    world.accounts_changed.set()


@ears.obey(RemoveSync)
async def obey_remove_sync(command: RemoveSync, world: World) -> None:
    """Keep nothing of this account."""
    await remove_account(command, world.pool)
    world.relay.wake()
    world.accounts_changed.set()


@ears.obey(RetellAccount)
async def obey_retell_account(command: RetellAccount, world: World) -> None:
    """Tell a listener everything again."""
    await ask_retelling(command, world.pool)
    world.relay.wake()
    world.retelling_asked.set()


@ears.obey(FileSentCopy)
async def obey_file_sent_copy(command: FileSentCopy, world: World) -> None:
    """See to it that a sent message is in Sent."""
    await file_sent_copy_later(command, world.pool)
    world.copy_asked.set()


@ears.answer(ReadContent)
async def answer_read_content(query: ReadContent, world: World) -> ContentAnswer:
    """What a message says."""
    began = time.perf_counter()
    answer = await read_content(query, world.request_pool)
    result = "ok" if answer.content is not None else "not_found"
    ANSWER_SECONDS.labels(result).observe(time.perf_counter() - began)
    return answer
