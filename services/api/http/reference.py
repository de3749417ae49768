"""The reference: schemas as the code judges by, examples, and what each operation refuses."""

from typing import Any

import msgspec
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    RequestBody,
)
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from services.api.domain.refusals import Refused
from services.api.http import told
from services.api.http.described import FORM
from services.api.http.events import Events
from services.api.http.examples import ANSWERS, BODIES
from services.api.http.examples_of_messages import PARTS
from services.api.http.problems import (
    PROBLEM_JSON,
    STATUS,
    FieldProblem,
    Problem,
    phrase,
)
from services.api.http.repeating import is_repeatable

_BASE = "/api/v1"
_COMPONENT = "#/components/schemas/{name}"
_EXAMPLE = "#/components/examples/{name}"

_OF_A_PART = (
    "not_found",
    "message_gone",
    "range_not_satisfiable",
    "attachment_unreadable",
    "attachment_unavailable",
)
_OF_A_SEARCH = (
    "query_invalid",
    "cursor_invalid",
    "not_found",
    "validation_failed",
    "search_unavailable",
)
_WITH_CURSOR = ("not_found", "cursor_invalid", "cursor_expired", "log_restarted")
# What an operation refuses for reasons of its own; see _codes_of for those that many share.
_REFUSES: dict[tuple[str, str], tuple[str, ...]] = {
    ("post", "/auth/register"): ("registration_closed", "email_taken", "too_many_attempts"),
    ("post", "/auth/login"): ("credentials_wrong", "too_many_attempts"),
    ("post", "/auth/refresh"): ("token_invalid",),
    ("post", "/auth/session"): ("credentials_wrong", "too_many_attempts", "foreign_origin"),
    ("post", "/auth/logout"): (),
    ("post", "/auth/logout-everywhere"): (),
    ("post", "/auth/accept-invitation"): (
        "invitation_invalid",
        "password_wrong",
        "registration_closed",
        "too_many_attempts",
    ),
    ("get", "/accounts/{account_id}/sharing"): ("not_found",),
    ("put", "/accounts/{account_id}/sharing"): ("not_found",),
    ("get", "/exports"): (),
    ("post", "/exports"): ("exports_full",),
    ("get", "/exports/{export_id}"): ("not_found",),
    ("delete", "/exports/{export_id}"): ("not_found",),
    ("get", "/exports/{export_id}/files/{number}"): (
        "not_found",
        "export_link_invalid",
        "validation_failed",
        "attachment_unavailable",
    ),
    ("get", "/audit"): ("cursor_invalid", "not_found", "validation_failed"),
    ("get", "/members"): (),
    ("patch", "/members/{user_id}"): ("not_found", "last_owner"),
    ("delete", "/members/{user_id}"): ("not_found", "last_owner", "validation_failed"),
    ("get", "/invitations"): (),
    ("post", "/invitations"): (),
    ("delete", "/invitations/{invitation_id}"): ("not_found",),
    ("get", "/tenant"): (),
    ("patch", "/tenant"): (),
    ("post", "/tenant/deletion"): ("password_wrong", "too_many_attempts"),
    ("post", "/me/deletion"): ("password_wrong", "last_owner", "too_many_attempts"),
    ("get", "/deletions/{deletion_id}"): ("not_found", "proof_unavailable"),
    ("post", "/auth/forgot-password"): ("system_mail_off", "too_many_attempts"),
    ("post", "/auth/reset-password"): ("link_invalid", "too_many_attempts"),
    ("post", "/auth/verify-email"): ("link_invalid", "too_many_attempts"),
    ("get", "/tenant/usage"): (),
    ("get", "/me/settings"): (),
    ("patch", "/me/settings"): ("changed_meanwhile",),
    ("get", "/me"): (),
    ("patch", "/me"): (),
    ("get", "/me/sessions"): (),
    ("delete", "/me/sessions/{session_id}"): ("not_found",),
    ("post", "/me/password"): ("password_wrong", "too_many_attempts"),
    ("post", "/me/verify-email"): ("system_mail_off", "too_many_attempts"),
    ("get", "/tokens"): (),
    ("post", "/tokens"): (),
    ("delete", "/tokens/{token_id}"): ("not_found",),
    ("get", "/accounts"): (),
    ("post", "/accounts"): ("quota_reached",),
    ("get", "/accounts/{account_id}"): ("not_found",),
    ("patch", "/accounts/{account_id}"): (
        "not_found",
        "secret_required",
        "plaintext_password_refused",
    ),
    ("delete", "/accounts/{account_id}"): ("not_found",),
    ("get", "/accounts/{account_id}/integrity"): ("not_found",),
    ("post", "/accounts/{account_id}:pause"): ("not_found",),
    ("post", "/accounts/{account_id}:resume"): ("not_found",),
    ("post", "/accounts/{account_id}:check"): ("not_found",),
    ("post", "/accounts:test"): ("test_unavailable",),
    ("post", "/discover"): (),
    ("get", "/oauth-providers"): (),
    ("get", "/tenant/connect-return-urls"): (),
    ("put", "/tenant/connect-return-urls"): (),
    ("put", "/oauth-providers/{name}"): ("not_found", "plaintext_password_refused"),
    ("delete", "/oauth-providers/{name}"): ("not_found",),
    ("post", "/connect-links"): ("not_found", "oauth_provider_unknown", "return_url_refused"),
    ("get", "/connect-links"): ("cursor_invalid",),
    ("get", "/connect-links/{link_id}"): ("not_found",),
    ("delete", "/connect-links/{link_id}"): ("not_found",),
    ("post", "/accounts/{account_id}:test"): ("not_found", "test_unavailable"),
    ("get", "/accounts/{account_id}/standing"): ("not_found", "sync_unavailable"),
    ("get", "/accounts/{account_id}/profile"): ("not_found",),
    ("put", "/accounts/{account_id}/profile"): ("not_found",),
    ("get", "/accounts/{account_id}/budget"): ("not_found", "sync_unavailable"),
    ("get", "/accounts/{account_id}/quarantine"): (
        "not_found",
        "cursor_invalid",
        "validation_failed",
        "sync_unavailable",
    ),
    ("get", "/mailboxes"): ("not_found",),
    ("get", "/labels"): ("not_found",),
    ("get", "/messages"): ("cursor_invalid", "not_found", "validation_failed"),
    ("get", "/messages/{message_id}"): (
        "not_found",
        "content_unavailable",
        "validation_failed",
    ),
    ("get", "/messages/{message_id}/html"): (
        "not_found",
        "content_unavailable",
        "validation_failed",
    ),
    ("patch", "/messages/{message_id}"): ("not_found", "no_trash"),
    ("post", "/messages:batch"): (
        "not_found",
        "no_trash",
        "query_invalid",
        "query_too_wide",
        "search_unavailable",
    ),
    ("get", "/threads/{thread_id}"): ("not_found",),
    ("patch", "/threads/{thread_id}"): ("not_found", "no_trash"),
    ("post", "/mailboxes"): ("not_found", "path_taken"),
    ("patch", "/mailboxes/{mailbox_id}"): ("not_found", "path_taken", "mailbox_fixed"),
    ("delete", "/mailboxes/{mailbox_id}"): ("not_found", "mailbox_fixed", "validation_failed"),
    ("post", "/mailboxes/{mailbox_id}:empty"): ("not_found", "validation_failed"),
    ("post", "/mailboxes/{mailbox_id}:mark-all-read"): ("not_found", "validation_failed"),
    ("get", "/jobs/{job_id}"): ("not_found",),
    ("post", "/jobs/{job_id}:undo"): (
        "not_found",
        "undo_too_late",
        "already_undone",
        "mailbox_not_empty",
        "validation_failed",
    ),
    ("get", "/suppressions"): ("sending_unavailable", "cursor_invalid", "validation_failed"),
    ("post", "/suppressions"): (),
    ("delete", "/suppressions"): ("validation_failed",),
    ("get", "/image-senders"): (),
    ("post", "/image-senders"): ("image_senders_full",),
    ("delete", "/image-senders/{image_sender_id}"): ("not_found", "validation_failed"),
    ("get", "/proxy/image"): (
        "image_link_invalid",
        "image_unavailable",
        "too_many_attempts",
        "validation_failed",
    ),
    ("get", "/proxy/part"): ("image_link_invalid", "too_many_attempts", *_OF_A_PART),
    ("get", "/messages/{message_id}/attachments/{number}"): _OF_A_PART,
    ("get", "/messages/{message_id}/attachments.zip"): (
        "not_found",
        "message_gone",
        "attachment_unreadable",
        "attachment_unavailable",
    ),
    ("get", "/messages/{message_id}/raw"): _OF_A_PART,
    ("post", "/messages/{message_id}:unsubscribe"): (
        "not_found",
        "no_one_click",
        "list_not_left",
        "content_unavailable",
    ),
    ("post", "/uploads"): (
        "quota_reached",
        "uploads_full",
    ),
    ("get", "/uploads/{upload_id}"): ("not_found",),
    ("get", "/uploads/{upload_id}/content"): ("not_found",),
    ("delete", "/uploads/{upload_id}"): ("not_found", "upload_in_use"),
    ("get", "/search"): _OF_A_SEARCH,
    ("post", "/search"): _OF_A_SEARCH,
    ("get", "/search/recent"): (),
    ("delete", "/search/recent"): (),
    ("get", "/suggestions/people"): ("validation_failed", "search_unavailable"),
    ("get", "/saved-searches"): (),
    ("post", "/saved-searches"): ("not_found", "search_name_taken", "saved_searches_full"),
    ("patch", "/saved-searches/{saved_search_id}"): ("not_found", "search_name_taken"),
    ("delete", "/saved-searches/{saved_search_id}"): ("not_found",),
    ("get", "/search/explain"): ("query_invalid", "validation_failed", "search_unavailable"),
    ("get", "/submissions"): ("cursor_invalid", "not_found", "validation_failed"),
    ("post", "/submissions"): (
        "quota_reached",
        "not_found",
        "message_too_large",
        "sender_not_allowed",
        "content_unavailable",
        "message_gone",
        "attachment_unavailable",
        "attachment_unreadable",
        "uploads_full",
        "preview_unavailable",
    ),
    ("get", "/submissions/{submission_id}"): ("not_found",),
    ("patch", "/submissions/{submission_id}"): ("not_found", "already_sent", "expires_before"),
    ("post", "/submissions/{submission_id}:cancel"): (
        "not_found",
        "cannot_unsend",
        "already_settled",
    ),
    ("post", "/submissions/{submission_id}:send-now"): ("not_found", "already_settled"),
    ("post", "/submissions/{submission_id}:retry"): (
        "not_found",
        "not_settled",
        "already_sent",
        "may_arrive_twice",
        "message_forgotten",
    ),
    ("get", "/drafts"): ("cursor_invalid", "not_found", "validation_failed"),
    ("post", "/drafts"): (
        "not_found",
        "message_too_large",
        "content_unavailable",
        "message_gone",
        "attachment_unavailable",
        "attachment_unreadable",
        "uploads_full",
    ),
    ("get", "/drafts/{draft_id}"): ("not_found",),
    ("put", "/drafts/{draft_id}"): ("not_found", "changed_meanwhile"),
    ("patch", "/drafts/{draft_id}"): ("not_found", "changed_meanwhile"),
    ("delete", "/drafts/{draft_id}"): ("not_found", "changed_meanwhile"),
    ("post", "/drafts/{draft_id}/send"): (
        "not_found",
        "changed_meanwhile",
        "no_recipients",
        "sender_not_allowed",
        "message_too_large",
    ),
    ("get", "/accounts/{account_id}/identities"): ("not_found",),
    ("post", "/accounts/{account_id}/identities"): ("not_found", "identity_taken"),
    ("patch", "/accounts/{account_id}/identities/{identity_id}"): (
        "not_found",
        "identity_taken",
        "identity_fixed",
    ),
    ("delete", "/accounts/{account_id}/identities/{identity_id}"): (
        "not_found",
        "identity_fixed",
    ),
    ("get", "/events"): (
        "query_invalid",
        "search_unavailable",
        "cursor_invalid",
        "not_found",
        "cursor_expired",
        "log_restarted",
        "validation_failed",
        "too_many_readers",
    ),
    ("post", "/webhooks"): (
        "not_found",
        "webhook_url_refused",
        "too_many_webhooks",
        "query_invalid",
        "search_unavailable",
    ),
    ("get", "/webhooks"): (),
    ("get", "/webhooks/{webhook_id}"): ("not_found",),
    ("patch", "/webhooks/{webhook_id}"): (
        "not_found",
        "webhook_url_refused",
        "query_invalid",
        "search_unavailable",
    ),
    ("delete", "/webhooks/{webhook_id}"): ("not_found",),
    ("post", "/webhooks/{webhook_id}:test"): ("not_found",),
    ("post", "/webhooks/{webhook_id}:pause"): ("not_found",),
    ("post", "/webhooks/{webhook_id}:resume"): ("not_found",),
    ("post", "/webhooks/{webhook_id}:replay"): _WITH_CURSOR,
    ("post", "/webhooks/{webhook_id}:skip"): _WITH_CURSOR,
    ("post", "/webhooks/{webhook_id}:rotate-secret"): ("not_found",),
    ("get", "/webhooks/{webhook_id}/deliveries"): (
        "cursor_invalid",
        "not_found",
        "validation_failed",
    ),
}
_OF_A_KEY = ("idempotency_key_in_use", "idempotency_key_reused")
_OF_WHO_ASKS = ("token_invalid", "not_permitted", "email_unverified", "tenant_suspended")
_WITH_FORM = ("malformed_form", "body_too_large", "validation_failed")
_WITH_BODY = ("malformed_json", "body_too_large", "validation_failed")
_GENERAL = {
    "malformed_json": (400, "The body is not JSON."),
    "body_too_large": (413, "The body is longer than this server reads."),
    "validation_failed": (422, "The request is not as it should be; see errors."),
    "internal_error": (500, "Something went wrong on our side."),
    "temporarily_unavailable": (503, "The service cannot work at the moment."),
    "too_busy": (503, "This took longer than it may, and was given up."),
}
_WRONG_FIELDS = (
    FieldProblem(pointer="/imap/password", message="This field is required.", code="missing"),
    FieldProblem(parameter="limit", message="This must be 200 or less.", code="too_large"),
)


class _Plain(GenerateJsonSchema):
    """Without titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def refer(document: OpenAPI) -> None:
    """Let the document say what is accepted, what is answered, and what is refused."""
    document.components = Components(
        schemas=_schemas(),
        examples={code: _problem(code) for code in (*STATUS, *_GENERAL)},
        security_schemes=document.components.security_schemes,
    )
    told.describe(document)
    examples = _examples()
    for path, item in (document.paths or {}).items():
        for method in ("get", "post", "patch", "put", "delete"):
            operation: Operation | None = getattr(item, method)
            if operation is not None:
                _with_examples(operation, examples)
                _with_refusals(operation, _codes_of(method, path, operation))


def _schemas() -> dict[str, Any]:
    _, bodies = models_json_schema(
        [(model, "validation") for model in BODIES],
        ref_template=_COMPONENT.format(name="{model}"),
        schema_generator=_Plain,
    )
    _, answers = msgspec.json.schema_components(
        (*(type(answer) for answer in ANSWERS), Problem, Events, *told.forms()),
        ref_template=_COMPONENT,
    )
    for part in PARTS:
        answers[type(part).__name__]["examples"] = [msgspec.to_builtins(part)]
    return dict(sorted({**bodies["$defs"], **answers}.items()))


def _examples() -> dict[str, Any]:
    """What to show for each schema, by its reference."""
    found: dict[str, Any] = {model.__name__: body for model, body in BODIES.items()}
    found.update((type(answer).__name__, answer) for answer in ANSWERS)
    # Raw, since the framework would leave out each null.
    return {
        _COMPONENT.format(name=name): msgspec.Raw(msgspec.json.encode(example))
        for name, example in found.items()
    }


def _with_examples(operation: Operation, examples: dict[str, Any]) -> None:
    answers = (operation.responses or {}).values()
    for one in (operation.request_body, *answers):
        for content in (getattr(one, "content", None) or {}).values():
            schema = content.schema
            if isinstance(schema, Reference) and content.example is None:
                content.example = examples.get(schema.ref)


def _codes_of(method: str, path: str, operation: Operation) -> list[str]:
    own = _REFUSES[method, path.removeprefix(_BASE)]
    return [
        *_of_body(operation),
        *(_OF_A_KEY if is_repeatable(operation) else ()),
        *(() if operation.security == [] else _OF_WHO_ASKS),
        *(("foreign_origin",) if operation.security != [] and method != "get" else ()),
        *own,
        "rate_limited",
        "temporarily_unavailable",
        "too_busy",
    ]


def _of_body(operation: Operation) -> tuple[str, ...]:
    body = operation.request_body
    if body is None:
        return ()
    return _WITH_FORM if isinstance(body, RequestBody) and FORM in body.content else _WITH_BODY


def _with_refusals(operation: Operation, codes: list[str]) -> None:
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(_status(code)), []).append(code)
    operation.responses = {
        **{
            status: answer
            for status, answer in (operation.responses or {}).items()
            if status.startswith("2")
        },
        **{status: _answer(phrase(int(status)), by_status[status]) for status in sorted(by_status)},
        "default": _answer("Anything else", ["internal_error"]),
    }


def _answer(title: str, codes: list[str]) -> OpenAPIResponse:
    return OpenAPIResponse(
        description=f"{title}: {', '.join(f'`{code}`' for code in codes)}.",
        content={
            PROBLEM_JSON: OpenAPIMediaType(
                schema=Reference(ref=_COMPONENT.format(name=Problem.__name__)),
                examples={code: Reference(ref=_EXAMPLE.format(name=code)) for code in codes},
            )
        },
    )


def _problem(code: str) -> Example:
    status = _status(code)
    said = {refused.code: refused.__doc__ for refused in Refused.__subclasses__()}
    problem = Problem(
        type=f"urn:postbus:problem:{code}",
        title=phrase(status),
        status=status,
        detail=said.get(code) or _GENERAL[code][1],
        code=code,
        request_id="019ac3c5-9d3f-7c51-b2a0-5f5d3c5f8a11",
        errors=_WRONG_FIELDS if code == "validation_failed" else (),
    )
    return Example(summary=problem.detail, value=msgspec.to_builtins(problem))


def _status(code: str) -> int:
    return STATUS[code] if code in STATUS else _GENERAL[code][0]
