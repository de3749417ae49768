"""Mail that somebody takes along."""

import io
import json
import mailbox
import zipfile
from pathlib import Path
from typing import Any

import pytest

from services.api.actions.forget_old import forget_exports
from services.api.store import exports
from shared.contracts.attachment import FetchPart, PartAnswer
from shared.contracts.envelope import Problem
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground

RAW = b"From: ada@example.org\r\nSubject: Lunch\r\n\r\nShall we?\r\nFrom noon on?\r\n"


async def filled(api: Api, ground: Ground, count: int = 2) -> list[Any]:
    """Messages in the inbox, the last one in the archive, whose bytes are at hand."""
    messages = [
        ground.message(
            f"Lunch/{n}",
            state=ground.state(ground.archive if n == count - 1 else None, "\\Seen"),
            minutes=n,
        )
        for n in range(count)
    ]
    await api.hears(ground.mailboxes(), ground.page(*messages))
    for message in messages:
        await api.fills_bucket(ground.account_id, message.message_id, 0, RAW)
    return messages


async def made(ada: Person, **more: Any) -> dict[str, Any]:
    answer = await ada.http.post("/exports", json=more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def fetched(api: Api, link: str) -> zipfile.ZipFile:
    """By whoever holds the link."""
    async with api.client() as anybody:
        answer = await anybody.get(link.removeprefix("/api/v1"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


async def test_mailboxes_are_taken_along_as_files_that_other_programs_read(
    api: Api, ada: Person, ground: Ground, tmp_path: Path
) -> None:
    messages = await filled(api, ground, 3)
    export = await made(ada)
    assert (export["message_count"], export["size_bytes"]) == (3, 300)
    assert [file["number"] for file in export["files"]] == [0, 1]
    (told,) = (await ada.http.get("/events", params={"types": "export.ready"})).json()["items"]
    assert told["account_id"] == shown(Kind.ACCOUNT, ground.account_id)
    assert told["data"]["id"] == export["id"]
    assert "link" not in json.dumps(told)
    archive = await fetched(api, export["files"][1]["link"])
    assert archive.namelist() == ["Archive-001.mbox", "INBOX-001.mbox", "messages-001.jsonl"]
    archive.extractall(tmp_path)
    box = mailbox.mbox(tmp_path / "INBOX-001.mbox")
    assert [message["Subject"] for message in box] == ["Lunch", "Lunch"]
    assert b">From noon on?\n" in (tmp_path / "INBOX-001.mbox").read_bytes()
    box.close()
    lines = [json.loads(line) for line in archive.read("messages-001.jsonl").splitlines()]
    assert {line["id"] for line in lines} == {
        shown(Kind.MESSAGE, message.message_id) for message in messages
    }
    assert lines[0]["mailbox"] == "Archive"
    assert lines[0]["keywords"] == ["\\Seen"]


async def test_each_message_is_a_file_as_its_server_has_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    await filled(api, ground)
    export = await made(ada, format="eml", account_ids=[shown(Kind.ACCOUNT, ground.account_id)])
    archive = await fetched(api, export["files"][1]["link"])
    first, second, _ = archive.namelist()
    assert first.startswith(f"Archive/{NOON:%Y-%m-%d} 1 ")
    assert second.startswith(f"INBOX/{NOON:%Y-%m-%d} 0 ")
    assert archive.read(first) == archive.read(second) == RAW


async def test_what_is_known_of_somebody_comes_too_and_no_secret(
    api: Api, ada: Person, ground: Ground
) -> None:
    await ada.http.post("/saved-searches", json={"name": "Bills", "q": "invoice"})
    await ada.http.patch("/me/settings", json={"signature": "Ada, Countess"})
    export = await made(ada)
    archive = await fetched(api, export["files"][0]["link"])
    said = archive.read("data.json").decode()
    data = json.loads(said)
    assert data["person"][0]["email"] == ada.email
    assert data["accounts"][0]["account_id"] == str(ground.account_id)
    assert data["saved_searches"][0]["name"] == "Bills"
    assert data["settings"][0]["document"]["signature"] == "Ada, Countess"
    assert "open-sesame" not in said
    assert "password" not in said


async def test_what_cannot_be_had_is_named_and_the_rest_comes(
    api: Api, ada: Person, ground: Ground
) -> None:
    messages = await filled(api, ground)
    lost = ground.message("Lost")
    await api.hears(ground.page(lost))
    export = await made(ada)
    gone = PartAnswer(problem=Problem(code="message_gone"))
    async with api.answering("sync", FetchPart, gone):
        archive = await fetched(api, export["files"][1]["link"])
    (line,) = archive.read("lacking-001.jsonl").splitlines()
    assert json.loads(line)["id"] == shown(Kind.MESSAGE, lost.message_id)
    assert json.loads(line)["reason"] == "message_gone"
    assert len(archive.read("messages-001.jsonl").splitlines()) == len(messages)


async def test_large_accounts_come_in_volumes_which_share_no_message(
    api: Api, ada: Person, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "VOLUME_MESSAGES", 2)
    messages = await filled(api, ground, 5)
    export = await made(ada)
    assert [file["message_count"] for file in export["files"]] == [0, 2, 2, 1]
    found: list[str] = []
    for file in export["files"][1:]:
        archive = await fetched(api, file["link"])
        name = f"messages-{file['number']:03d}.jsonl"
        found += [json.loads(line)["id"] for line in archive.read(name).splitlines()]
    assert sorted(found) == sorted(shown(Kind.MESSAGE, one.message_id) for one in messages)
    monkeypatch.setattr(exports, "VOLUME_BYTES", 150)
    monkeypatch.setattr(exports, "VOLUME_MESSAGES", 5_000)
    smaller = await made(ada)
    assert sum(file["message_count"] for file in smaller["files"]) == 5
    assert len(smaller["files"]) > 3


async def test_a_link_is_good_as_it_was_written_and_for_what_its_person_may_see_by_now(
    api: Api, ada: Person, ground: Ground
) -> None:
    await filled(api, ground)
    export = await made(ada)
    link = export["files"][1]["link"]
    async with api.client() as anybody, api.person() as eve:
        other = link.replace("/files/1?", "/files/0?")
        for wrong in (other, link[:-2], link.replace("expires=1", "expires=2")):
            answer = await anybody.get(wrong.removeprefix("/api/v1"))
            assert (answer.status_code, answer.json()["code"]) == (403, "export_link_invalid")
        assert (await eve.http.get(f"/exports/{export['id']}")).status_code == 404
        assert (await eve.http.delete(f"/exports/{export['id']}")).status_code == 404
        assert await eve.items("/exports") == []
        foreign = await eve.http.post("/exports", json={"account_ids": export["account_ids"]})
        assert foreign.status_code == 422
        await api.admin.execute("UPDATE api.account SET deleted_at = now()")
        answer = await anybody.get(link.removeprefix("/api/v1"))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        await api.admin.execute("UPDATE api.account SET deleted_at = NULL")
        assert (await ada.http.delete(f"/exports/{export['id']}")).status_code == 204
        answer = await anybody.get(link.removeprefix("/api/v1"))
        assert (answer.status_code, answer.json()["code"]) == (403, "export_link_invalid")


async def test_exports_end_and_nobody_has_very_many(api: Api, ada: Person, ground: Ground) -> None:
    for _ in range(10):
        export = await made(ada)
    full = await ada.http.post("/exports", json={})
    assert (full.status_code, full.json()["code"]) == (409, "exports_full")
    assert len(await ada.items("/exports")) == 10
    await api.admin.execute("UPDATE api.export SET expires_at = now()")
    assert await ada.items("/exports") == []
    assert (await ada.http.get(f"/exports/{export['id']}")).status_code == 404
    await forget_exports(api.world.pool, api.world.clock())
    assert await api.rows("export", "export_id") == []
    assert await api.rows("export_volume", "export_id") == []
    actions = [row["action"] for row in await api.rows("audit_log", "occurred_at")]
    assert actions.count("export.made") == 10
