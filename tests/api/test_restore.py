"""What the api takes back once the database came out of a backup."""

from services.api.actions.settle_restore import settle_restore
from shared.db import settle_restoration
from tests.api.conftest import PASSWORD, Api, Person


async def test_after_a_restore_cursors_of_before_are_refused_and_everybody_signs_in_again(
    api: Api, ada: Person
):
    await ada.connects()
    before = (await ada.http.get("/events")).json()["next_cursor"]
    sent = await ada.http.post(
        "/submissions",
        json={
            "account_id": (await ada.items("/accounts"))[0]["id"],
            "to": ["grace@example.org"],
            "subject": "On its way",
            "text": "Here it comes.",
        },
    )
    assert sent.status_code == 202, sent.text
    for number in ("one", "two"):  # restored from the same backup twice
        await api.admin.execute(
            "INSERT INTO api.restoration (restoration_id) VALUES ($1)", f"{ada.tenant_id} {number}"
        )
        assert await settle_restoration(api.world.pool, settle_restore)
        assert not await settle_restoration(api.world.pool, settle_restore)
    asked = await api.admin.fetchval("SELECT count(*) FROM api.outbox WHERE subject LIKE '%retell'")
    assert asked == 2

    assert (await ada.http.get("/accounts")).status_code == 401
    answer = await ada.http.post("/auth/login", json={"email": ada.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    ada.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    gone = await ada.http.get("/events", params={"after": before})
    assert (gone.status_code, gone.json()["code"]) == (410, "log_restarted")

    # sender was never asked, or was: nobody knows.
    found = (await ada.http.get(f"/submissions/{sent.json()['id']}")).json()
    assert (found["state"], found["reason"]) == ("uncertain", "restored")
    kinds = [event["type"] for event in await ada.items("/events", limit=200, after="earliest")]
    assert "submission.uncertain" in kinds
