import io
import os
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import nats
import pytest

from shared.bus import Bucket
from shared.bus.bucket import PIECE_BYTES, Key, Whole
from shared.contracts.attachment import WHOLE_MESSAGE, FetchPart, PartAnswer
from shared.contracts.envelope import Problem, decode, encode
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, SyncedMessage
from tests.api.conftest import Api, Person
from tests.api.mail import Ground

CONTENT = os.urandom(2 * PIECE_BYTES + 1000)
READY = PartAnswer(ready=True)


def attached(
    number: int, name: str, content_type: str = "application/pdf", *, size_bytes: int = 1
) -> Attachment:
    return Attachment(number=number, name=name, content_type=content_type, size_bytes=size_bytes)


def path_of(message: SyncedMessage, part: str) -> str:
    return f"/messages/{shown(Kind.MESSAGE, message.message_id)}/{part}"


@asynccontextmanager
async def fetching(
    api: Api, contents: dict[tuple[str, int], bytes], known: dict[Any, SyncedMessage]
) -> AsyncGenerator[list[FetchPart]]:
    """Stand in for sync: put into the bucket what is asked for. Yields what was."""
    asked: list[FetchPart] = []
    client = await nats.connect(api.platform.bus_url("sync"), inbox_prefix=b"_INBOX.sync")
    bus: Any = type("Bus", (), {"js": client.jetstream()})()
    bucket = Bucket(bus)

    async def answer(message: Any) -> None:
        query = decode(message.data, FetchPart)
        asked.append(query)
        one = known[query.message_id]
        content = contents.get((one.content.subject, query.part))
        if content is None:
            problem = Problem(code="account_unreachable")
            await message.respond(encode(PartAnswer(problem=problem, retry_after_seconds=7)))
            return
        key = Key(one.account_id, query.message_id, query.part)  # pyright: ignore[reportAttributeAccessIssue]
        pieces = [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
        await bucket.put_whole(key, Whole(size_bytes=len(content), pieces=len(pieces)))
        for number, piece in enumerate(pieces):
            await bucket.put_piece(key, number, piece)
        await message.respond(encode(READY))

    await client.subscribe(FetchPart.channel, cb=answer)
    await client.flush()
    try:
        yield asked
    finally:
        await client.close()


class _World:
    """Messages of one account, and what their parts are."""

    def __init__(self, api: Api, ground: Ground) -> None:
        self.api = api
        self.ground = ground
        self.known: dict[Any, Any] = {}
        self.contents: dict[tuple[str, int], bytes] = {}

    async def letter(self, subject: str, *parts: Attachment, **contents: bytes) -> SyncedMessage:
        message = self.ground.message(subject, attachments=parts)
        await self.api.hears(self.ground.page(message))
        place = type(
            "Known", (), {"content": message.content, "account_id": self.ground.account_id}
        )()
        self.known[message.message_id] = place
        for name, content in contents.items():
            self.contents[subject, int(name.removeprefix("part_"))] = content
        return message

    def fetching(self) -> Any:
        return fetching(self.api, self.contents, self.known)


@pytest.fixture
def mail(api: Api, ground: Ground) -> _World:
    return _World(api, ground)


async def test_an_attachment_is_downloaded_under_its_name_and_never_run(
    ada: Person, mail: _World
) -> None:
    message = await mail.letter("One", attached(1, "Grüße.pdf"), part_1=CONTENT)
    async with mail.fetching() as asked:
        answer = await ada.http.get(path_of(message, "attachments/1"))
        again = await ada.http.get(path_of(message, "attachments/1"))
    assert answer.status_code == 200
    assert answer.content == again.content == CONTENT
    assert len(asked) == 1, "the second time it is read from the bucket"
    assert asked[0].caller.tenant_id == ada.tenant_id
    assert asked[0].caller.account_ids == (mail.ground.account_id,)
    headers = again.headers
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["content-type"] == "application/pdf"
    assert headers["content-disposition"] == (
        "attachment; filename=\"Gru_e.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("content_type", "inline", "shown_as"),
    [
        ("image/png", "1", "inline"),
        ("application/pdf", "1", "inline"),
        ("image/png", "", "attachment"),
        ("image/svg+xml", "1", "attachment"),
        ("text/html", "1", "attachment"),
        ("text/html; charset=utf-8\r\nX-Evil: 1", "1", "attachment"),
    ],
)
async def test_only_what_runs_nothing_is_shown_in_its_place(
    ada: Person, mail: _World, content_type: str, inline: str, shown_as: str
) -> None:
    message = await mail.letter("One", attached(1, "a", content_type), part_1=b"<script>")
    async with mail.fetching():
        answer = await ada.http.get(
            path_of(message, "attachments/1"), params={"inline": inline} if inline else {}
        )
    assert answer.headers["content-disposition"].partition(";")[0] == shown_as
    assert "x-evil" not in answer.headers


async def test_a_range_is_given_and_what_is_known_is_not_sent_again(
    ada: Person, mail: _World
) -> None:
    message = await mail.letter("One", attached(1, "a.bin"), part_1=CONTENT)
    path = path_of(message, "attachments/1")
    size = len(CONTENT)
    async with mail.fetching() as asked:
        for wanted, first, last in (
            ("bytes=0-9", 0, 9),
            (f"bytes={PIECE_BYTES - 5}-{PIECE_BYTES + 4}", PIECE_BYTES - 5, PIECE_BYTES + 4),
            ("bytes=10-", 10, size - 1),
            ("bytes=-7", size - 7, size - 1),
            (f"bytes=5-{size * 2}", 5, size - 1),
        ):
            answer = await ada.http.get(path, headers={"Range": wanted})
            assert answer.status_code == 206, wanted
            assert answer.content == CONTENT[first : last + 1], wanted
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
            assert answer.headers["content-length"] == str(last - first + 1)
        assert len(asked) == 1
        assert asked[0].piece is None, "a range is counted in the whole"
        for ignored in ("bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "nonsense"):
            answer = await ada.http.get(path, headers={"Range": ignored})
            assert (answer.status_code, len(answer.content)) == (200, size), ignored
        beyond = await ada.http.get(path, headers={"Range": f"bytes={size}-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
        assert beyond.headers["content-range"] == f"bytes */{size}"

        etag = answer.headers["etag"]
        for tags in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            known = await ada.http.get(path, headers={"If-None-Match": tags})
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
        for tag, status in ((etag, 206), ('"other"', 200)):
            answer = await ada.http.get(path, headers={"Range": "bytes=0-1", "If-Range": tag})
            assert answer.status_code == status


async def test_a_head_tells_what_a_file_is_and_fetches_nothing(ada: Person, mail: _World) -> None:
    message = await mail.letter("One", attached(1, "a.pdf"), part_1=CONTENT)
    path = path_of(message, "attachments/1")
    async with mail.fetching() as asked:
        for url in (path, path_of(message, "raw"), path_of(message, "attachments.zip")):
            head = await ada.http.head(url)
            assert (head.status_code, head.content) == (200, b""), url
            assert "content-disposition" in head.headers
        assert asked == []
        got = await ada.http.get(path)
        head = await ada.http.head(path)
        assert got.content == CONTENT
        assert head.headers["content-length"] == str(len(CONTENT))
        same = ("content-type", "content-disposition", "etag", "accept-ranges", "cache-control")
        assert [head.headers.get(name) for name in same] == [got.headers.get(name) for name in same]
        known = await ada.http.head(path, headers={"If-None-Match": head.headers["etag"]})
        assert known.status_code == 304
    missing = await ada.http.head(path_of(message, "attachments/9"))
    assert (missing.status_code, missing.content) == (404, b"")


async def test_the_length_of_what_is_small_is_told_when_it_is_first_read(
    ada: Person, mail: _World
) -> None:
    message = await mail.letter("One", attached(1, "a.pdf"), part_1=CONTENT, part_0=b"Subject: x")
    async with mail.fetching() as asked:
        for part, size in (("attachments/1", len(CONTENT)), ("raw", 10)):
            answer = await ada.http.get(path_of(message, part))
            assert answer.headers["content-length"] == str(size)
    assert [one.piece for one in asked] == [None, None], "all of it is waited for"


async def test_a_message_is_given_as_it_came(ada: Person, mail: _World) -> None:
    eml = b"Subject: =?utf-8?q?a/b?=\r\n\r\nText\r\n"
    message = await mail.letter("a/b: ../../etc", part_0=eml)
    assert mail.contents["a/b: ../../etc", WHOLE_MESSAGE] == eml
    async with mail.fetching():
        answer = await ada.http.get(path_of(message, "raw"))
    assert answer.content == eml
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"] == 'attachment; filename="etc.eml"'


async def test_all_attachments_come_in_one_zip_each_under_a_name_of_its_own(
    ada: Person, mail: _World
) -> None:
    parts = (
        attached(1, "a.pdf"),
        attached(2, "../A.pdf"),
        attached(3, "", "message/rfc822"),
        attached(4, "empty.txt"),
    )
    message = await mail.letter(
        "Holiday", *parts, part_1=CONTENT, part_2=b"two", part_3=b"three", part_4=b""
    )
    async with mail.fetching():
        answer = await ada.http.get(path_of(message, "attachments.zip"))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="Holiday.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.pdf": CONTENT,
            "A (2).pdf": b"two",
            "attachment-3.eml": b"three",
            "empty.txt": b"",
        }


async def test_what_is_on_a_server_that_is_away_says_when_to_come_again(
    ada: Person, mail: _World
) -> None:
    message = await mail.letter(
        "One", attached(1, "here.bin"), attached(2, "there.bin"), part_1=CONTENT
    )
    async with mail.fetching():
        assert (await ada.http.get(path_of(message, "attachments/1"))).status_code == 200
        for path in ("attachments/2", "attachments.zip", "raw"):
            answer = await ada.http.get(path_of(message, path))
            assert (answer.status_code, answer.json()["code"]) == (503, "attachment_unavailable")
            assert answer.headers["retry-after"] == "7"
        mail.contents.clear()
        assert (await ada.http.get(path_of(message, "attachments/1"))).content == CONTENT
    answer = await ada.http.get(path_of(message, "attachments/2"))  # nobody answers
    assert (answer.status_code, answer.json()["code"]) == (503, "attachment_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("message_gone", 410, "message_gone"),
        ("part_missing", 404, "not_found"),
        ("not_found", 404, "not_found"),
        ("part_unreadable", 502, "attachment_unreadable"),
        ("message_moving", 503, "attachment_unavailable"),
        ("account_paused", 503, "attachment_unavailable"),
        ("something_new", 503, "attachment_unavailable"),
    ],
)
async def test_why_it_cannot_be_had_is_said(
    api: Api, ada: Person, mail: _World, code: str, status: int, told: str
) -> None:
    message = await mail.letter("One", attached(1, "a"))
    answered = PartAnswer(problem=Problem(code=code))
    async with api.answering("sync", FetchPart, answered):
        answer = await ada.http.get(path_of(message, "attachments/1"))
    assert (answer.status_code, answer.json()["code"]) == (status, told)


async def test_an_attachment_that_there_is_not_is_not_asked_for(ada: Person, mail: _World) -> None:
    message = await mail.letter("One", attached(1, "a"))
    bare = await mail.letter("Bare")
    async with mail.fetching() as asked:
        for path in (
            path_of(message, "attachments/2"),
            path_of(message, "attachments/0"),
            path_of(message, "attachments/x"),
            path_of(message, "attachments/-1"),
            path_of(bare, "attachments.zip"),
        ):
            assert (await ada.http.get(path)).status_code == 404, path
    assert asked == []


async def test_a_piece_that_the_bucket_let_go_is_fetched_again(
    api: Api, ada: Person, mail: _World
) -> None:
    large = attached(1, "a.bin", size_bytes=len(CONTENT))
    message = await mail.letter("One", large, part_1=CONTENT)
    path = path_of(message, "attachments/1")
    async with mail.fetching() as asked:
        await ada.http.get(path)
        key = Key(mail.ground.account_id, message.message_id, 1)
        async with api.platform.admin_bus() as client:
            await client.jetstream().purge_stream("ATTACHMENTS", subject=key.subject(1))
        assert await api.world.bucket.piece(key, 1) is None
        answer = await ada.http.get(path)
    assert answer.content == CONTENT
    assert [query.piece for query in asked] == [0, 1]


async def test_a_file_that_breaks_off_is_seen_to_break_off(
    api: Api, ada: Person, mail: _World
) -> None:
    large = attached(1, "a.bin", size_bytes=len(CONTENT))
    message = await mail.letter("One", large, part_1=CONTENT)
    path = path_of(message, "attachments/1")
    async with mail.fetching():
        await ada.http.get(path)
    key = Key(mail.ground.account_id, message.message_id, 1)
    async with api.platform.admin_bus() as client:
        for last in (1, 2):
            await client.jetstream().purge_stream("ATTACHMENTS", subject=key.subject(last))
    with pytest.raises(httpx.RemoteProtocolError):
        await ada.http.get(path)  # its size was known
    async with api.platform.admin_bus() as client:
        await client.jetstream().purge_stream("ATTACHMENTS", subject=key.subject("whole"))
    away = PartAnswer(problem=Problem(code="account_unreachable"))
    async with api.answering("sync", FetchPart, READY, away):
        with pytest.raises(httpx.RemoteProtocolError):
            await ada.http.get(path)  # it was not


async def test_another_tenant_gets_nothing_even_of_what_is_in_the_bucket(
    api: Api, ada: Person, mail: _World
) -> None:
    message = await mail.letter("One", attached(1, "a.bin"), part_1=CONTENT, part_0=b"x")
    async with mail.fetching() as asked, api.person() as eve:
        for part in ("attachments/1", "raw", "attachments.zip"):
            assert (await ada.http.get(path_of(message, part))).status_code == 200
        before = len(asked)
        for part in ("attachments/1", "raw", "attachments.zip"):
            for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-1"}):
                answer = await eve.http.get(path_of(message, part), headers=headers)
                assert answer.status_code == 404, part
        assert len(asked) == before
