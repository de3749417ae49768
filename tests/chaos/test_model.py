"""Whatever a second client does and whatever breaks meanwhile: the copy is the server's."""

import random

import pytest

from tests.chaos.run import KNOWS_ALL, KNOWS_LITTLE, chaos
from tests.servers.dovecot import Dovecot
from tests.servers.process import ServerUnavailable

pytestmark = pytest.mark.story


@pytest.fixture(autouse=True)
def _dovecot_is_here() -> None:
    try:
        Dovecot.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))


async def test_after_all_that_breaks_the_copy_is_the_servers_and_every_id_stayed() -> None:
    async with chaos(3, kinds=(KNOWS_ALL, KNOWS_LITTLE), replicas=1) as run:
        for _ in range(2):
            await run.round(12, 3)


@pytest.mark.long
async def test_for_minutes_nothing_is_lost_doubled_or_renamed() -> None:
    async with chaos(random.SystemRandom().randrange(2**32)) as run:
        for _ in range(8):
            await run.round(25, 5)
