"""Everything that goes wrong, as an RFC 9457 problem with a stable `code`."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from msgspec import Struct

from services.api.domain.refusals import RangeNotThere, Refused
from services.api.http import wording
from shared.db import is_away, is_busy

log = structlog.get_logger()

STATUS = {
    "not_found": 404,
    "credentials_wrong": 401,
    "token_invalid": 401,
    "quota_reached": 403,
    "changed_meanwhile": 412,
    "link_invalid": 410,
    "system_mail_off": 409,
    "invitation_invalid": 410,
    "tenant_suspended": 403,
    "proof_unavailable": 503,
    "last_owner": 409,
    "password_wrong": 422,
    "email_unverified": 403,
    "not_permitted": 403,
    "foreign_origin": 403,
    "registration_closed": 403,
    "email_taken": 409,
    "secret_required": 422,
    "plaintext_password_refused": 422,
    "idempotency_key_reused": 422,
    "idempotency_key_in_use": 409,
    "message_too_large": 413,
    "identity_taken": 409,
    "identity_fixed": 409,
    "sender_not_allowed": 422,
    "cannot_unsend": 409,
    "already_settled": 409,
    "already_sent": 409,
    "not_settled": 409,
    "may_arrive_twice": 409,
    "message_forgotten": 410,
    "expires_before": 409,
    "preview_unavailable": 503,
    "no_recipients": 422,
    "sending_unavailable": 503,
    "cursor_invalid": 400,
    "cursor_expired": 410,
    "log_restarted": 410,
    "query_invalid": 400,
    "search_name_taken": 409,
    "saved_searches_full": 429,
    "query_too_wide": 422,
    "content_unavailable": 503,
    "export_link_invalid": 403,
    "exports_full": 409,
    "image_link_invalid": 403,
    "image_unavailable": 502,
    "no_one_click": 409,
    "list_not_left": 502,
    "search_unavailable": 503,
    "attachment_unavailable": 503,
    "attachment_unreadable": 502,
    "message_gone": 410,
    "range_not_satisfiable": 416,
    "malformed_form": 400,
    "upload_in_use": 409,
    "uploads_full": 429,
    "image_senders_full": 409,
    "sync_unavailable": 503,
    "test_unavailable": 503,
    "undo_too_late": 409,
    "already_undone": 409,
    "no_trash": 409,
    "mailbox_fixed": 409,
    "mailbox_not_empty": 409,
    "path_taken": 409,
    "webhook_url_refused": 422,
    "too_many_webhooks": 409,
    "return_url_refused": 422,
    "oauth_provider_unknown": 422,
    "too_many_attempts": 429,
    "too_many_readers": 429,
    "rate_limited": 429,
}
_CODE = {
    400: "malformed_request",
    401: "token_invalid",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
#: Where the phrase of HTTP alone would leave one guessing.
_DETAIL = {
    404: "There is no such path here; /docs lists those that there are.",
    405: "This path does not take this method; the header Allow names those that it takes.",
    413: "The body is larger than this path takes.",
}
_RETRY_SECONDS = 2
_RETRY_BUSY_SECONDS = 10  # at once it would take as long again
_MISSING = re.compile(r"Missing required \w+ parameter '([^']{1,200})'")
_REQUIRED = "This parameter is required."


class FieldProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one part of a request."""

    message: str
    pointer: str | None = None  # into the body (RFC 6901)
    parameter: str | None = None  # of the query
    code: str | None = None


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not carried out (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] = ()
    position: int | None = None


PROBLEM_JSON = "application/problem+json"


class Invalid(Exception):
    """A request whose parts are wrong; all of them are listed."""

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        super().__init__("invalid")
        self.errors = tuple(errors)


class Malformed(Exception):
    """A body that is not JSON."""


def on_refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    """What the api does not do, and why."""
    status = STATUS[error.code]
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, RangeNotThere):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return _response(
        request,
        status,
        code=error.code,
        detail=error.detail,
        errors=tuple(
            FieldProblem(pointer=pointer, message=error.detail, code=error.code)
            for pointer in error.pointers
        ),
        position=error.position,
        headers=headers,
    )


def on_invalid(request: Request[Any, Any, Any], error: Invalid) -> Response[bytes]:
    """All that is wrong with a body or a query."""
    return _response(
        request,
        422,
        code="validation_failed",
        detail="The request is not as it should be; see errors.",
        errors=error.errors,
    )


def on_malformed(request: Request[Any, Any, Any], error: Malformed) -> Response[bytes]:
    """A body that cannot be read at all."""
    return _response(request, 400, code="malformed_json", detail=str(error))


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses: no such path, no such method, a body too large."""
    if isinstance(error, ValidationException):
        return on_invalid(request, Invalid(_of_query(error)))
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        # Nobody is there to read it; it is only counted, and not as our fault.
        return _response(request, 400, code="client_gone", detail="The client went away.")
    status = error.status_code
    if status >= 500:
        return on_error(request, error)
    headers = dict(error.headers or {})
    if status == 413:
        # The rest of the body is not read, so the connection cannot be used again.
        headers["Connection"] = "close"
    return _response(
        request,
        status,
        code=_CODE.get(status, "request_refused"),
        detail=_DETAIL.get(status, phrase(status)),
        headers=headers,
    )


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What should not have happened; the cause is in the log, under the request's id."""
    if is_away(error):
        log.warning("database away", error=repr(error))
        return _response(
            request,
            503,
            code="temporarily_unavailable",
            detail="The service cannot work at the moment.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    if is_busy(error):
        log.warning("database too busy", error=repr(error))
        return _response(
            request,
            503,
            code="too_busy",
            detail="This took longer than it may, and was given up.",
            headers={"Retry-After": str(_RETRY_BUSY_SECONDS)},
        )
    log.error("request failed", exc_info=error)
    return _response(
        request, 500, code="internal_error", detail="Something went wrong on our side."
    )


def _response(
    request: Request[Any, Any, Any],
    status: int,
    *,
    code: str,
    detail: str,
    errors: tuple[FieldProblem, ...] = (),
    position: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    problem = Problem(
        type=f"urn:postbus:problem:{code}",
        title=phrase(status),
        status=status,
        detail=detail,
        code=code,
        request_id=request.scope.get("postbus_request_id"),  # pyright: ignore[reportArgumentType, reportCallIssue]
        errors=errors,
        position=position,
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def _of_query(error: ValidationException) -> list[FieldProblem]:
    found: list[FieldProblem] = []
    extra: Any = error.extra
    for item in extra if isinstance(extra, list) else []:
        key = str(item.get("key", ""))[:200]
        if key == "data" or item.get("source") == "body":
            found.append(
                FieldProblem(pointer="", message="A JSON object is needed.", code="wrong_type")
            )
        else:
            message, code = wording.of_parameter(str(item.get("message", "")))
            found.append(FieldProblem(parameter=key, message=message, code=code))
    if not found and (missing := _MISSING.match(error.detail)):
        found.append(FieldProblem(parameter=missing[1], message=_REQUIRED, code="missing"))
    return found or [FieldProblem(message="A part of the request cannot be read.", code="invalid")]


def phrase(status: int) -> str:
    """What HTTP calls this status (RFC 9110 §15)."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
