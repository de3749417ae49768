"""What was promised stays promised; what is new is optional or new by name."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.scripts.generate import _contracts  # pyright: ignore[reportPrivateUsage]
from shared.contracts.account import AccountState
from shared.contracts.envelope import decode
from shared.contracts.mail import ChangeReason
from tests.contracts.promise import broken

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
CONTRACTS = _contracts()


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_no_promise_is_broken(name: str) -> None:
    then = json.loads((SCHEMAS / f"{name}.json").read_text())
    assert broken(then, msgspec.json.schema(CONTRACTS[name])) == []


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_no_channel_is_taken_away(path: Path) -> None:
    assert path.stem in CONTRACTS


def a_schema(**properties: Any) -> dict[str, Any]:
    return {
        "$ref": "#/$defs/Thing",
        "$defs": {
            "Thing": {
                "type": "object",
                "properties": properties,
                "required": [name for name in properties if not name.startswith("maybe")],
            },
            "Colour": {"enum": ["blue", "other"]},
        },
    }


def test_a_renamed_a_retyped_and_a_newly_required_field_are_broken_promises() -> None:
    then = a_schema(sender={"type": "string"}, maybe_size={"type": "integer"})
    assert broken(then, a_schema(author={"type": "string"}, maybe_size={"type": "integer"}))
    assert broken(then, a_schema(sender={"type": "integer"}, maybe_size={"type": "integer"}))
    assert broken(
        then,
        a_schema(
            sender={"type": "string"}, maybe_size={"type": "integer"}, more={"type": "string"}
        ),
    )


def test_a_new_optional_field_and_a_new_enum_value_are_growth() -> None:
    then = a_schema(sender={"type": "string"})
    now = a_schema(sender={"type": "string"}, maybe_more={"type": "string"})
    now["$defs"]["Colour"]["enum"] = ["blue", "green", "other"]
    assert broken(then, now) == []
    gone = a_schema(sender={"type": "string"})
    gone["$defs"]["Colour"]["enum"] = ["other"]
    assert broken(then, gone)


def test_a_word_this_version_does_not_know_is_read_as_other() -> None:
    assert decode(b'"brand_new"', AccountState) is AccountState.OTHER
    assert decode(b'["moved", "sung"]', frozenset[ChangeReason]) == {
        ChangeReason.MOVED,
        ChangeReason.OTHER,
    }
