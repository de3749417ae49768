"""The same list in Flask and psycopg2: once bare, and once with what the gateway does as well.

Run by Gunicorn in an environment of its own; told by the environment where the rows are.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import jwt
from flask import Flask, Response, jsonify, request
from psycopg2.pool import ThreadedConnectionPool

app = Flask(__name__)

_COLUMNS = (
    "message_id, account_id, mailbox_id, thread_id, keywords, labels, unread, received_at, sent_at,"
    " subject, sender_name, sender_email, rfc_message_id, size_bytes, preview, has_html,"
    " attachment_count, details,"
    " coalesce((SELECT true FROM confirmed"
    "            WHERE confirmed.tenant_id = message.tenant_id"
    "              AND confirmed.message_id = message.message_id), false) AS pending"
)
_LIST = f"""
    SELECT {_COLUMNS} FROM message
     WHERE tenant_id = %s AND mailbox_id = %s AND listed
     ORDER BY received_at DESC, message_id DESC LIMIT %s
"""
_MOST = 1_000_000
_TENANT, _MAILBOX = os.environ["BENCH_TENANT"], os.environ["BENCH_MAILBOX"]
_KEY = bytes.fromhex(os.environ["BENCH_KEY"])

_bare = ThreadedConnectionPool(1, 2, os.environ["BENCH_BARE_URL"])
_own = ThreadedConnectionPool(1, 2, os.environ["BENCH_OWN_URL"])
_calling = ThreadedConnectionPool(1, 2, os.environ["BENCH_CALLING_URL"])
_counting = threading.Lock()
_counted: dict[str, tuple[float, int]] = {}


@contextmanager
def _cursor(pool: ThreadedConnectionPool) -> Iterator[Any]:
    connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        pool.putconn(connection)


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    details = row[17]
    return {
        "id": row[0],
        "account_id": row[1],
        "mailbox_id": row[2],
        "thread_id": row[3],
        "subject": row[9],
        "from": {"name": row[10], "email": row[11]} if row[11] else None,
        "to": details.get("to", []),
        "received_at": row[7].isoformat(),
        "sent_at": row[8] and row[8].isoformat(),
        "preview": row[14],
        "keywords": row[4],
        "labels": row[5],
        "unread": row[6],
        "size_bytes": row[13],
        "has_html": row[15],
        "attachment_count": row[16],
        "pending": row[18],
    }


@app.get("/bare")
def bare() -> Response:
    with _cursor(_bare) as cursor:
        cursor.execute(_LIST, (_TENANT, _MAILBOX, 50))
        rows = cursor.fetchall()
    return jsonify(items=[_shown(row) for row in rows], next_cursor=None)


@app.get("/equal")
def equal() -> tuple[Response, int] | Response:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        said = jwt.decode(token, _KEY, algorithms=["HS256"], options={"verify_aud": False})
    except jwt.PyJWTError:
        return jsonify(code="token_invalid"), 401
    for who in (f"client {request.remote_addr}", f"read {said['sub']}"):
        if not _let_through(who):
            return jsonify(code="rate_limited"), 429
    with _cursor(_own) as cursor:
        cursor.execute(
            """
            SELECT array_agg(account_id::text) FROM account
             WHERE tenant_id = %s AND deleted_at IS NULL AND EXISTS (
                   SELECT FROM session JOIN membership USING (tenant_id, person_id)
                    WHERE session_id = %s AND revoked_at IS NULL AND expires_at > %s)
            """,
            (_TENANT, said["sid"], datetime.now(UTC)),
        )
        (accounts,) = cursor.fetchone()
    if accounts is None:
        return jsonify(code="token_invalid"), 401
    with _cursor(_calling) as cursor:
        cursor.execute(
            "SELECT set_config('postbus.tenant', %s, true),"
            " set_config('postbus.accounts', %s, true)",
            (_TENANT, "{" + ",".join(accounts) + "}"),
        )
        cursor.execute(
            "SELECT 1 FROM mailbox WHERE tenant_id = %s AND mailbox_id = %s", (_TENANT, _MAILBOX)
        )
        if cursor.fetchone() is None:
            return jsonify(code="not_found"), 404
        cursor.execute(_LIST, (_TENANT, _MAILBOX, 51))
        rows = cursor.fetchall()
    return jsonify(items=[_shown(row) for row in rows[:50]], next_cursor=str(rows[49][0]))


def _let_through(who: str) -> bool:
    """A window of a minute, counted in this worker alone."""
    now = time.time()
    with _counting:
        began, count = _counted.get(who, (now, 0))
        if now - began >= 60:
            began, count = now, 0
        _counted[who] = (began, count + 1)
    return count < _MOST
