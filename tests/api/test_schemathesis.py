"""The API does what its OpenAPI document says, whatever is asked that the document allows or not.

Requests are made from the document, some for each operation, the same in each run.
"""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure, FailureGroup

from infra.scripts.promise import document
from tests.api.conftest import Api, Person

EXAMPLES = 4
#: What other services would answer is 503 here: `_nothing_breaks` judges it. What our rules
#: refuse beyond what a schema can say, a host that is none, both of two names, is 422.
_OTHERWISE = {"positive_data_acceptance", "not_a_server_error"}
#: Ends who asks, or asks somebody else: each has tests of its own.
_ENDS = ("/auth/logout", "/auth/logout-everywhere", "/me/password")
_DOCUMENT = document()
_BY_TAG: dict[str, list[tuple[str, str]]] = {}
for _path, _item in _DOCUMENT["paths"].items():
    for _method in ("get", "post", "put", "patch", "delete"):
        if _method in _item and not _path.endswith(_ENDS):
            _BY_TAG.setdefault(_item[_method]["tags"][0], []).append((_method, _path))


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(_DOCUMENT)


@pytest.mark.parametrize("tag", _BY_TAG)
async def test_what_is_answered_is_what_is_documented(
    api: Api, ada: Person, schema: Any, tag: str
) -> None:
    base = str(ada.http.base_url).removesuffix("/api/v1/")
    found: list[str] = []
    for method, path in _BY_TAG[tag]:
        open_to_all = _DOCUMENT["paths"][path][method].get("security") == []
        headers = {} if open_to_all else {"Authorization": ada.http.headers["Authorization"]}
        try:
            await asyncio.to_thread(_ask, schema[path][method.upper()], base, headers)
        except (FailureGroup, Failure) as failure:
            parts = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
            found += [f"{method.upper()} {path}: {part}" for part in parts]
    assert found == [], "\n".join(found)


def _nothing_breaks(_: CheckContext, response: Response, __: Case) -> None:
    """No 500, and 503 only as it is documented: with the time to come again."""
    status = response.status_code
    assert status < 500 or (status == 503 and "retry-after" in response.headers), response.text


def _ask(operation: Any, base: str, headers: dict[str, str]) -> None:
    """Some requests that the document allows, and some that it does not."""
    checks = [
        *(check for check in CHECKS.get_all() if check.__name__ not in _OTHERWISE),
        _nothing_breaks,
    ]

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asked(case: Case) -> None:
        case.headers.pop("Accept", None)  # one who follows the log never hears its end
        # Entries with some fields only are not what the schema of an entry says.
        case.query.pop("fields", None)
        case.call_and_validate(base_url=base, headers=headers, checks=checks, timeout=30)

    asked()
