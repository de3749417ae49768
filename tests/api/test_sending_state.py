"""Whether an account can send, as its owner sees it."""

from shared.contracts.account import SendingChanged, SendingState
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


async def test_an_account_that_cannot_send_says_why_and_when_it_is_tried_again(
    api: Api, ada: Person, ground: Ground
) -> None:
    def told(revision: int, state: SendingState, reason: str | None) -> SendingChanged:
        return SendingChanged(
            tenant_id=ground.tenant_id,
            account_id=ground.account_id,
            revision=revision,
            state=state,
            reason=reason,
            server_said="authentication failed" if reason else None,
        )

    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    assert (await ada.http.get(path)).json()["sending"]["state"] == "ready"
    await api.hears(told(1, SendingState.AUTH_FAILED, "auth_failed"))
    now = (await ada.http.get(path)).json()["sending"]
    assert (now["state"], now["reason"]) == ("auth_failed", "auth_failed")
    assert now["server_said"] == "authentication failed"
    assert [event["type"] for event in await ada.events()][-1] == "account.sending_changed"

    await api.hears(told(3, SendingState.READY, None))
    await api.hears(told(2, SendingState.UNREACHABLE, "timed_out"))  # late
    now = (await ada.http.get(path)).json()["sending"]
    assert now == {"state": "ready", "reason": None, "server_said": None, "retry_at": None}
