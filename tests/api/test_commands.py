"""What an operator does by hand."""

import asyncio
import os
import sys
from pathlib import Path

from shared.contracts.ids import Kind, shown
from tests.api.conftest import PASSWORD, Api, Person


async def command(api: Api, *words: str, typed: str = "") -> tuple[int, str]:
    """What `python -m services.api …` ends with and says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
        env={
            "PATH": os.environ["PATH"],
            **api.platform.environment("api"),
            "API_JWT_KEYS_FILE": "unused",
            "API_SEAL_KEYS_DIR": "unused",
            "API_OWN_KEYS_DIR": "unused",
        },
    )
    said, _ = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_first_administrator_is_made_by_a_command(api: Api) -> None:
    words = ("add-owner", "Root@Example.org", "--name", "Root")
    assert (await command(api, *words, typed="short\n"))[0] == 1
    assert (await command(api, "add-owner", "nonsense", typed=f"{PASSWORD}\n"))[0] == 1
    code, said = await command(api, *words, typed=f"{PASSWORD}\n")
    assert code == 0, said
    assert PASSWORD not in said
    async with api.client() as client:
        login = {"email": "root@example.org", "password": PASSWORD}
        tokens = (await client.post("/auth/login", json=login)).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert (await client.get("/me")).json()["tenant"]["role"] == "owner"
    assert (await command(api, *words, typed=f"{PASSWORD}\n"))[0] == 1, "taken"


async def test_an_operator_shuts_opens_limits_and_deletes_a_tenant(api: Api, ada: Person) -> None:
    tenant = shown(Kind.TENANT, ada.tenant_id)
    code, listed = await command(api, "tenants")
    assert code == 0
    assert tenant in listed
    assert (await command(api, "suspend", tenant, "--why", "Unpaid"))[0] == 0
    assert (await ada.http.get("/me")).json()["detail"] == "Unpaid"
    assert (await command(api, "resume", tenant))[0] == 0
    assert (await command(api, "quota", tenant, "--accounts", "7"))[0] == 0
    assert (await ada.http.get("/tenant/usage")).json()["accounts"]["limit"] == 7
    code, said = await command(api, "delete-tenant", tenant)
    assert code == 0
    assert "/api/v1/deletions/del_" in said
    assert (await ada.http.get("/me")).status_code == 401
    for words in (
        ("suspend", tenant),
        ("quota", tenant),
        ("delete-tenant", tenant),
        ("resume", "x"),
    ):
        code, said = await command(api, *words)
        assert code == 1, words
        assert "Traceback" not in said
