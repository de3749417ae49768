"""The API keeps what its committed document has promised; it only grows."""

import copy
import json
from typing import Any

import pytest

from infra.scripts.promise import PROMISE, document
from tests.api.openapi_promise import broken


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return document()


def test_no_promise_of_the_committed_document_is_broken(now: dict[str, Any]) -> None:
    assert broken(json.loads(PROMISE.read_text()), now) == []


def test_what_callers_rely_on_is_not_taken_away_unnoticed(now: dict[str, Any]) -> None:
    def changed(change: Any) -> list[str]:
        later = copy.deepcopy(now)
        change(later)
        return broken(now, later)

    messages = "/api/v1/messages"
    assert changed(lambda it: it["paths"].pop(messages)) == [f"GET {messages} is gone"]
    assert changed(lambda it: it["components"]["schemas"]["Message"]["properties"].pop("subject"))
    assert changed(lambda it: it["components"]["schemas"]["NewAccount"]["required"].append("name"))
    assert changed(lambda it: it["components"]["schemas"]["Message"]["required"].remove("subject"))
    assert changed(lambda it: it["paths"][messages]["get"]["parameters"].pop(0))
    assert changed(
        lambda it: it["components"]["schemas"]["Message"]["properties"].update(
            subject={"type": "integer"}
        )
    )


def test_growing_breaks_nothing(now: dict[str, Any]) -> None:
    later = copy.deepcopy(now)
    later["paths"]["/api/v1/new"] = {"get": {"responses": {"200": {"description": "New."}}}}
    message = later["components"]["schemas"]["Message"]
    message["properties"]["new"] = {"type": "string"}
    message["required"].append("new")
    later["components"]["schemas"]["NewAccount"]["properties"]["new"] = {"type": "string"}
    message["properties"]["subject"]["description"] = "Said otherwise."
    assert broken(now, later) == []
