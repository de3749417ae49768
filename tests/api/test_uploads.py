import asyncio
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from services.api.actions.forget_uploads import forget_uploads
from services.api.store import uploads
from services.api.store.uploads import PIECE_BYTES
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, read, shown
from shared.db import tenant_transaction
from tests.api.conftest import Api, Person, running_api
from tests.api.test_bad_input import is_a_problem
from tests.platform import Platform
from tests.stories.stack import until

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 50
LARGE = bytes(range(256)) * 1024 * 2 + b"the end"  # three pieces


def docx() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("notes.md", "x")
    return out.getvalue()


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def test_an_upload_is_kept_as_it_was_and_forgotten_when_told_to(
    api: Api, ada: Person
) -> None:
    assert len(LARGE) > 2 * PIECE_BYTES
    answer = await ada.http.post("/uploads", files={"file": ("../Käse\u202e.pdf", LARGE)})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["name"] == "Käse.pdf"
    assert made["size_bytes"] == len(LARGE)
    assert made["used"] is False
    assert (await ada.http.get(f"/uploads/{made['id']}")).json() == made
    content = await ada.http.get(f"/uploads/{made['id']}/content")
    assert content.content == LARGE
    assert content.headers["content-disposition"].startswith("attachment;")

    assert (await ada.http.delete(f"/uploads/{made['id']}")).status_code == 204
    for path in ("", "/content"):
        assert (await ada.http.get(f"/uploads/{made['id']}{path}")).status_code == 404
    assert (await ada.http.delete(f"/uploads/{made['id']}")).status_code == 404
    assert await api.rows("upload_piece", "number") == []


@pytest.mark.parametrize(
    ("name", "content", "declared", "expected"),
    [
        ("a.png", PNG, "image/png", "image/png"),
        ("a.exe", PNG, "application/x-msdownload", "image/png"),
        ("a.html", PNG, "text/html", "image/png"),
        ("a.pdf", b"%PDF-1.7\n", "", "application/pdf"),
        ("a.docx", docx(), DOCX, DOCX),
        ("a.docx", docx(), "application/zip", DOCX),
        ("a.zip", docx(), "application/octet-stream", "application/zip"),
        ("a.csv", b"a,b\n1,2\n", "text/csv; charset=utf-8", "text/csv"),
        ("a", b"who knows", "", "application/octet-stream"),
        ("a", b"", "", "application/octet-stream"),
        ("a", b"x", "not a type", "application/octet-stream"),
    ],
)
async def test_a_file_is_what_is_in_it_and_only_else_what_is_said(
    ada: Person, name: str, content: bytes, declared: str, expected: str
) -> None:
    answer = await ada.http.post("/uploads", files={"file": (name, content, declared)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["content_type"] == expected


async def test_a_form_without_one_file_is_a_problem_and_leaves_nothing(
    api: Api, ada: Person
) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for given, status, code in (
        ({"json": {"file": "x"}}, 422, "validation_failed"),
        ({"content": b""}, 422, "validation_failed"),
        ({"data": {"file": "no file"}, "files": {"other": b"x"}}, 422, "validation_failed"),
        ({"files": [("file", b"one"), ("file", b"two")]}, 422, "validation_failed"),
        ({"content": head + b"broken off", "headers": form}, 400, "malformed_form"),
        ({"content": b"nothing of it", "headers": form}, 400, "malformed_form"),
        ({"content": b"", "headers": form}, 400, "malformed_form"),
        ({"content": b"--b\r\nX: " + b"x" * 99_999, "headers": form}, 400, "malformed_form"),
    ):
        answer = await ada.http.post("/uploads", **given)  # pyright: ignore[reportArgumentType]
        assert (answer.status_code, is_a_problem(answer)["code"]) == (status, code), given
    assert await api.rows("upload", "upload_id") == []


async def test_an_upload_that_breaks_off_leaves_nothing(api: Api, ada: Person) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        b"POST /api/v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n"
        b"Authorization: " + ada.http.headers["Authorization"].encode() + b"\r\n\r\n"
    )
    writer.write(head + b"x" * 600_000)
    await writer.drain()

    async def coming() -> bool:
        return len(await api.rows("upload_piece", "number")) == 2

    async def gone() -> bool:
        return await api.rows("upload", "upload_id") == []

    await until("some of it came", coming)
    (row,) = await api.rows("upload", "upload_id")
    shown_id = shown(Kind.UPLOAD, row["upload_id"])
    assert (await ada.http.get(f"/uploads/{shown_id}")).status_code == 404, "not before it is whole"
    writer.transport.abort()
    await until("nothing is left of it", gone)


async def test_there_is_a_limit_to_a_file_and_to_all_that_nothing_uses(
    platform: Platform, seal_directory: Path
) -> None:
    limits = {"upload_max_bytes": 100_000, "uploads_unused_max_bytes": 150_000}
    async with (
        running_api(platform, seal_directory, **limits) as api,
        api.person() as ada,
        api.person() as eve,
    ):
        for size in (100_001, 10_000_000):
            answer = await ada.http.post("/uploads", files={"file": b"x" * size})
            assert is_a_problem(answer)["code"] == "body_too_large"
        assert await api.rows("upload", "upload_id") == []
        fits = {"file": ("a", b"x" * 100_000)}
        first = await ada.http.post("/uploads", files=fits)
        assert first.status_code == 201
        assert (await ada.http.post("/uploads", files=fits)).status_code == 201
        full = await ada.http.post("/uploads", files=fits)
        assert (full.status_code, is_a_problem(full)["code"]) == (429, "uploads_full")
        assert (await eve.http.post("/uploads", files=fits)).status_code == 201
        await ada.http.delete(f"/uploads/{first.json()['id']}")
        assert (await ada.http.post("/uploads", files=fits)).status_code == 201


async def test_what_is_used_is_kept_and_what_is_not_is_forgotten_in_time(
    api: Api, ada: Person
) -> None:
    made = [
        (await ada.http.post("/uploads", files={"file": (name, name.encode())})).json()["id"]
        for name in ("used", "given up", "never used", "new")
    ]
    ids = [read(Kind.UPLOAD, each) for each in made]
    (row,) = {row["created_by"] for row in await api.rows("upload", "upload_id")}
    caller = Caller(tenant_id=ada.tenant_id, account_ids=())
    draft, other = uuid4(), uuid4()

    async with api.person() as eve:  # of another tenant: nothing of Ada's can be used by her
        hers = Caller(tenant_id=eve.tenant_id, account_ids=())
        async with tenant_transaction(api.world.request_pool, hers) as connection:
            assert await uploads.use(connection, ada.tenant_id, row, ids, draft) == {}

    async with tenant_transaction(api.world.request_pool, caller) as connection:
        assert await uploads.use(connection, ada.tenant_id, uuid4(), ids, draft) == {}
        found = await uploads.use(connection, ada.tenant_id, row, [*ids[:2], uuid4()], draft)
        assert set(found) == set(ids[:2])
        await uploads.use(connection, ada.tenant_id, row, ids[:2], draft)  # said twice
        await uploads.use(connection, ada.tenant_id, row, ids[:1], other)
        assert [piece async for piece in uploads.pieces(connection, ada.tenant_id, ids[0])] == [
            b"used"
        ]
    refused = await ada.http.delete(f"/uploads/{made[0]}")
    assert (refused.status_code, is_a_problem(refused)["code"]) == (409, "upload_in_use")
    assert (await ada.http.get(f"/uploads/{made[0]}")).json()["used"] is True

    async with tenant_transaction(api.world.request_pool, caller) as connection:
        await uploads.release(connection, ada.tenant_id, draft, keeping=ids[:1])
    old = datetime.now(UTC) - timedelta(days=3)
    await api.admin.execute(
        "UPDATE api.upload SET unused_since = $1 WHERE unused_since IS NOT NULL AND name <> 'new'",
        old,
    )
    await forget_uploads(api.world.pool, timedelta(days=1))
    left = {row["name"] for row in await api.rows("upload", "upload_id")}
    assert left == {"used", "new"}
    async with tenant_transaction(api.world.request_pool, caller) as connection:
        await uploads.release(connection, ada.tenant_id, draft)
        await uploads.release(connection, ada.tenant_id, other)
    assert (await ada.http.get(f"/uploads/{made[0]}")).json()["used"] is False
    await forget_uploads(api.world.pool, timedelta())
    assert await api.rows("upload_piece", "upload_id") == []
