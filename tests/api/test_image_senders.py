"""Images of those whom a reader trusts are shown without asking, and of nobody else."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from services.api.domain.image_senders import NotASender, is_doubtful, names_for, sender_of
from shared.contracts.content import AuthenticationResult
from shared.contracts.mail import Address, MailboxesSynced, MailboxRole
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_images import opening

HTML = '<p>Hello<img src="https://a.example/i.png"></p>'
GRACE = Address("Grace", "Grace@News.example.org")


async def allows(person: Person, sender: str) -> dict[str, Any]:
    answer = await person.http.post("/image-senders", json={"sender": sender})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def images(
    api: Api, person: Person, ground: Ground, asked: str | None = None, **more: Any
) -> dict[str, Any]:
    """What a message of Grace's shows of remote images."""
    params = {} if asked is None else {"images": asked}
    given: dict[str, Any] = {"sender": GRACE, **more}
    async with opening(api, person, ground, HTML, **given) as message:
        answer = await message.answer(**params)
    told = answer["remote_images"]
    assert told["shown"] == ("/api/v1/proxy/image" in answer["html"])
    return told


@pytest.mark.parametrize(
    "sender", ["GRACE@news.example.org", "news.example.org", "@Example.org", " example.org. "]
)
async def test_an_allowed_senders_images_are_shown_until_the_sender_is_forgotten(
    api: Api, ada: Person, ground: Ground, sender: str
) -> None:
    assert (await images(api, ada, ground))["shown"] is False
    allowed = await allows(ada, sender)
    assert (await allows(ada, sender)) == allowed, "twice is once"
    assert await ada.items("/image-senders") == [allowed]
    told = await images(api, ada, ground)
    assert (told["shown"], told["allowed_by"]) == (True, allowed["sender"])
    assert (await images(api, ada, ground, "block"))["shown"] is False
    assert (await images(api, ada, ground, "allow"))["allowed_by"] is None

    path = f"/image-senders/{allowed['id']}"
    assert (await ada.http.delete(path)).status_code == 204
    assert (await ada.http.delete(path)).status_code == 404
    assert await ada.items("/image-senders") == []
    assert (await images(api, ada, ground))["shown"] is False


async def test_the_page_of_a_message_shows_an_allowed_senders_images(
    api: Api, ada: Person, ground: Ground
) -> None:
    await allows(ada, "example.org")
    async with opening(api, ada, ground, HTML, sender=GRACE) as message:
        page = await ada.http.get(f"{message.path}/html")
    assert "/api/v1/proxy/image?" in page.text


async def test_whoever_is_alike_but_not_the_same_is_not_allowed(
    api: Api, ada: Person, ground: Ground
) -> None:
    for sender in ("ace@news.example.org", "s.example.org", "x.news.example.org", "example.com"):
        await allows(ada, sender)
    assert (await images(api, ada, ground))["shown"] is False
    assert (await images(api, ada, ground, sender=None))["shown"] is False


async def test_nobody_else_allows_or_forgets_for_somebody(
    api: Api, ada: Person, ground: Ground
) -> None:
    allowed = await allows(ada, "example.org")
    async with api.person() as eve:
        assert await eve.items("/image-senders") == []
        answer = await eve.http.delete(f"/image-senders/{allowed['id']}")
        assert answer.status_code == 404
        hers = await eve.connects()
        assert (await images(api, eve, hers))["shown"] is False
    assert await ada.items("/image-senders") == [allowed]
    # Nor does somebody of the same tenant.
    person_id = uuid4()
    await api.admin.execute(
        "INSERT INTO api.person (person_id, email, email_key, password_hash)"
        " VALUES ($1, $2, $2, '')",
        person_id,
        f"{person_id}@example.org",
    )
    await api.admin.execute(
        "INSERT INTO api.membership (tenant_id, person_id, role) VALUES ($1, $2, 'member')",
        ada.tenant_id,
        person_id,
    )
    await api.admin.execute("UPDATE api.image_sender SET person_id = $1", person_id)
    assert (await images(api, ada, ground))["shown"] is False
    assert await ada.items("/image-senders") == []
    path = f"/image-senders/{allowed['id']}"
    assert (await ada.http.delete(path)).status_code == 404


async def test_what_pretends_to_be_from_somebody_or_is_junk_shows_nothing(
    api: Api, ada: Person, ground: Ground
) -> None:
    await allows(ada, "example.org")
    forged = (AuthenticationResult(server="mx.example.org", method="dmarc", result="fail"),)
    assert (await images(api, ada, ground, authentication=forged))["shown"] is False
    marked = ground.state(None, "$Junk")
    assert (await images(api, ada, ground, state=marked))["shown"] is False
    boxes = ground.mailboxes(2)
    junk = structs.replace(boxes.mailboxes[1], role=MailboxRole.JUNK)
    told: MailboxesSynced = structs.replace(boxes, mailboxes=(boxes.mailboxes[0], junk))
    await api.hears(told)
    there = ground.state(ground.archive)
    assert (await images(api, ada, ground, state=there))["shown"] is False
    assert (await images(api, ada, ground))["shown"] is True


@pytest.mark.parametrize(
    "sender", ["", "org", "@", "a@", "a b@example.org", "exa mple.org", "a..b"]
)
async def test_what_is_neither_an_address_nor_a_domain_is_refused(ada: Person, sender: str) -> None:
    answer = await ada.http.post("/image-senders", json={"sender": sender})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/sender"}


async def test_nobody_allows_without_end(api: Api, ada: Person) -> None:
    allowed = await allows(ada, "example.org")
    await api.admin.execute(
        """
        INSERT INTO api.image_sender (tenant_id, image_sender_id, person_id, sender)
        SELECT tenant_id, gen_random_uuid(), person_id, n || '.example.com'
          FROM api.image_sender, generate_series(1, 999) AS n
        """
    )
    answer = await ada.http.post("/image-senders", json={"sender": "example.net"})
    assert (answer.status_code, answer.json()["code"]) == (409, "image_senders_full")
    assert await allows(ada, "example.org") == allowed


def test_addresses_and_domains_are_compared_as_they_go_over_the_wire() -> None:
    assert sender_of("Ada@BÜCHER.example") == "ada@xn--bcher-kva.example"
    assert sender_of("bücher.example") == "xn--bcher-kva.example"
    assert names_for("Ada@mail.bücher.example") == [
        "ada@mail.xn--bcher-kva.example",
        "mail.xn--bcher-kva.example",
        "xn--bcher-kva.example",
    ]
    assert names_for("") == names_for("ada") == names_for("ada@") == names_for("a@[::1]") == []
    with pytest.raises(NotASender):
        sender_of("a@[192.0.2.1]")


@pytest.mark.parametrize(
    ("results", "doubtful"),
    [
        ({}, False),
        ({"dmarc": "pass", "spf": "fail"}, False),
        ({"dmarc": "fail", "spf": "pass"}, True),
        ({"dmarc": "none", "spf": "softfail", "dkim": "pass"}, False),
        ({"spf": "softfail", "dkim": "none"}, True),
        ({"spf": "none", "dkim": "none"}, False),
        ({"SPF": "FAIL"}, True),
    ],
)
def test_the_receiving_servers_doubt_counts(results: dict[str, str], doubtful: bool) -> None:
    stated = [
        AuthenticationResult(server="mx.example.org", method=method, result=result)
        for method, result in results.items()
    ]
    assert is_doubtful(stated, ()) is doubtful
