"""What somebody says of an account's servers, in place of what is known."""

from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, shown
from shared.contracts.standing import (
    OwnProfile,
    ReadStanding,
    SetSenderProfile,
    SetSyncProfile,
    StandingAnswer,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_standing import a_standing

KINDS = {kind.channel: kind for kind in (SetSyncProfile, SetSenderProfile)}
NOTHING = {
    "provider": None,
    "connections": None,
    "bytes_per_day": None,
    "commands_per_day": None,
    "messages_per_day": None,
    "idle_seconds": None,
    "files_sent": None,
}


def path_of(ground: Ground) -> str:
    return f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"


async def test_who_knows_better_is_believed_by_reading_and_sending(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = f"{path_of(ground)}/profile"
    assert (await ada.http.get(path)).json() == NOTHING
    said = {"connections": 2, "messages_per_day": 40, "files_sent": False}
    answer = await ada.http.put(path, json=said)
    assert (answer.status_code, answer.json()) == (200, NOTHING | said)
    assert (await ada.http.get(path)).json() == NOTHING | said
    assert (await ada.http.put(path, json={})).json() == NOTHING
    orders = [
        decode(row["body"], KINDS[row["subject"]])
        for row in await api.rows("outbox", "position")
        if row["subject"] in KINDS
    ]
    own = OwnProfile(connections=2, messages_per_day=40, files_sent=False)
    assert [(type(one), one.version, one.own) for one in orders] == [
        (SetSyncProfile, 1, own),
        (SetSenderProfile, 1, own),
        (SetSyncProfile, 2, OwnProfile()),
        (SetSenderProfile, 2, OwnProfile()),
    ]
    assert {one.account_id for one in orders} == {ground.account_id}


async def test_the_budget_says_what_was_said_and_by_whom(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = path_of(ground)
    await ada.http.put(f"{path}/profile", json={"messages_per_day": 40})
    answer = StandingAnswer(standing=a_standing())
    async with api.answering("sync", ReadStanding, answer, answer, answer):
        budget = (await ada.http.get(f"{path}/budget")).json()
        await ada.http.put(f"{path}/profile", json={"provider": "google"})
        of_google = (await ada.http.get(f"{path}/budget")).json()
        await ada.http.put(f"{path}/profile", json={"provider": "google", "messages_per_day": 0})
        without = (await ada.http.get(f"{path}/budget")).json()
    assert budget["messages"] == {"used": 0, "allowed": 40, "decided_by": "account"}
    assert budget["said"] == NOTHING | {"messages_per_day": 40}
    assert of_google["messages"] == {"used": 0, "allowed": 2000, "decided_by": "provider"}
    assert without["messages"] == {"used": 0, "allowed": None, "decided_by": "account"}


async def test_nobody_can_name_a_provider_that_nobody_knows(ada: Person, ground: Ground) -> None:
    answer = await ada.http.put(f"{path_of(ground)}/profile", json={"provider": "nobody"})
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/provider"]
    for wrong in ({"connections": 0}, {"bytes_per_day": -1}, {"idle_seconds": 1}, {"idle": 9}):
        answer = await ada.http.put(f"{path_of(ground)}/profile", json=wrong)
        assert answer.status_code == 422, wrong


async def test_what_is_said_of_an_account_is_its_tenants_own(api: Api, ground: Ground) -> None:
    path = f"{path_of(ground)}/profile"
    async with api.person() as bob:
        assert (await bob.http.get(path)).status_code == 404
        assert (await bob.http.put(path, json={"connections": 1})).status_code == 404
    assert not [row for row in await api.rows("outbox", "position") if row["subject"] in KINDS]
