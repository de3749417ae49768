"""`Idempotency-Key`: repeat a POST with its key, and it is carried out once.

As draft-ietf-httpapi-idempotency-key-header-07 has it. What was carried out is kept for a day and
answered again, with `Idempotency-Replayed: true`; what was refused changed nothing, and may be
asked anew.
"""

import hashlib
from typing import Any

from litestar import Request, Response
from litestar.openapi.spec import OpenAPI, OpenAPIType, Operation, Parameter, Schema

from services.api.actions.identify_caller import Identity
from services.api.actions.repeating import claim_key, keep_answer, let_go_of_key
from services.api.http.problems import FieldProblem, Invalid
from services.api.store.idempotency import Answer, Claim
from services.api.world import World

HEADER = "Idempotency-Key"
REPLAYED = "idempotency-replayed"
#: In the `opt` of a handler whose answer nobody may keep, since it holds a secret.
UNKEPT = "answer_is_unkept"
LONGEST_KEY = 200
_CLAIM = "postbus_claim"
_PARAMETER = Parameter(
    name=HEADER,
    param_in="header",
    description="Repeat a request with its key, and it is carried out once. Keys are kept a day.",
    schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=LONGEST_KEY),
)
_KEPT_HEADERS = (b"content-type", b"location")


async def answered_before(request: Request[Identity, Any, Any]) -> Response[bytes] | None:
    """The answer to a request that was carried out; None where it is to be carried out now."""
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None or UNKEPT in request.route_handler.opt:
        return None
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        message = f"{HEADER} must have 1 to {LONGEST_KEY} printable characters."
        raise Invalid([FieldProblem(parameter=HEADER, message=message, code="invalid")])
    world: World = request.app.state.world
    found = await claim_key(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        key,
        await _digest(request),
    )
    if isinstance(found, Answer):
        headers = {**found.headers, REPLAYED: "true"}
        kind = headers.pop("content-type", None)
        return Response(found.body, status_code=found.status, media_type=kind, headers=headers)
    scope: Any = request.scope
    scope[_CLAIM] = found
    return None


def say_in(document: OpenAPI, unkept: frozenset[str]) -> None:
    """Let the document say of each POST of somebody signed in that it may be repeated."""
    for path, item in (document.paths or {}).items():
        operation = item.post
        if operation is None or operation.security == [] or path in unkept:
            continue
        others = [one for one in operation.parameters or () if getattr(one, "name", None) != HEADER]
        operation.parameters = [*others, _PARAMETER]


def is_repeatable(operation: Operation) -> bool:
    """Whether the document says so."""
    return _PARAMETER in (operation.parameters or ())


async def note_answer(scope: Any, status: int, headers: Any, body: bytes) -> None:
    """Keep what a request that may be repeated is about to be answered."""
    claim: Claim | None = scope.get(_CLAIM)
    if claim is None:
        return
    world: World = scope["litestar_app"].state.world
    caller = scope["user"].caller
    if status >= 400:
        await let_go_of_key(world.request_pool, caller, claim)
        return
    kept = {
        name.decode(): value.decode("latin-1")
        for name, value in headers
        if name.lower() in _KEPT_HEADERS
    }
    answer = Answer(status=status, headers=kept, body=body)
    await keep_answer(world.request_pool, caller, claim, answer)


async def _digest(request: Request[Identity, Any, Any]) -> bytes:
    """What makes a request the same one. Of an upload its length counts: it is read as it comes."""
    digest = hashlib.sha256()
    digest.update(f"{request.method} {request.scope['path']}?".encode())
    digest.update(request.scope["query_string"] + b"\n")
    if request.headers.get("content-type", "").startswith("multipart/"):
        digest.update(request.headers.get("content-length", "").encode())
    else:
        digest.update(await request.body())
    return digest.digest()
