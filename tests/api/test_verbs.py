from prometheus_client import generate_latest

from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_bad_input import is_a_problem
from tests.api.test_standing import path_of


async def test_a_verb_is_said_with_a_colon_or_with_a_slash(ada: Person, ground: Ground) -> None:
    path = path_of(ground)
    for said, paused in ((":pause", True), ("/resume", False), ("%3Apause", True)):
        answer = await ada.http.post(path + said)
        assert (answer.status_code, answer.json()["paused"]) == (202, paused), said


async def test_a_verb_that_is_none_is_not_there_and_one_is_only_posted(
    ada: Person, ground: Ground
) -> None:
    path = path_of(ground)
    for said in (":steal", ":", "::pause", ":pause:pause", ":undo", ":standing", "/x:pause"):
        answer = await ada.http.post(path + said)
        assert answer.status_code in (404, 405), said
        assert is_a_problem(answer)["code"] in ("not_found", "method_not_allowed"), said
    assert is_a_problem(await ada.http.get(path + ":pause"))["code"] == "method_not_allowed"
    assert (await ada.http.get(path)).json()["paused"] is False


async def test_documents_and_metrics_know_one_spelling(
    api: Api, ada: Person, ground: Ground
) -> None:
    paths = (await ada.http.get("/openapi.json")).json()["paths"]
    assert "post" in paths["/api/v1/accounts/{account_id}:pause"]
    assert not any(path.endswith("/pause") for path in paths)
    for said in (":pause", "/pause"):
        assert (await ada.http.post(path_of(ground) + said)).status_code == 202
    metrics = generate_latest().decode()
    assert 'route="/api/v1/accounts/{account_id}:pause"' in metrics
    assert "}/pause" not in metrics
