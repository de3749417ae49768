"""What an operator does by hand: the first administrator, and what becomes of tenants."""

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

from services.api.actions.add_owner import add_owner
from services.api.actions.delete_tenant import delete_tenant
from services.api.actions.hashing import open_hashing
from services.api.actions.suspend_tenant import suspend_tenant
from services.api.domain.addresses import NotAnAddress, address_spec
from services.api.domain.refusals import AddressTaken
from services.api.settings import Settings
from services.api.store import quotas, tenants
from services.api.store.quotas import Quotas
from shared.contracts.ids import Kind, NotAnId, read, shown
from shared.db import Pool, open_pool

_SHORTEST_PASSWORD = 8


class CannotDo(Exception):
    """What was asked for makes no sense here."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage]
    """The words by which each is asked for."""
    owner = commands.add_parser("add-owner", help="a new tenant and its owner; asks for a password")
    owner.add_argument("email")
    owner.add_argument("--name", default="")
    commands.add_parser("tenants", help="list tenants, with what they have and may have")
    suspend = commands.add_parser("suspend", help="shut a tenant for a while")
    suspend.add_argument("tenant")
    suspend.add_argument("--why", default="", help="what its members are told")
    commands.add_parser("resume", help="open it again").add_argument("tenant")
    commands.add_parser("delete-tenant", help="for good, with all in it").add_argument("tenant")
    quota = commands.add_parser("quota", help="how much a tenant may have; left out: any number")
    quota.add_argument("tenant")
    for name in ("accounts", "storage-bytes", "sends-per-day", "requests-per-minute"):
        quota.add_argument(f"--{name}", type=int)


async def obey(arguments: argparse.Namespace) -> None:
    """Do it, and say so; raises CannotDo."""
    settings = Settings()  # pyright: ignore[reportCallIssue]  - from the environment
    obeys: dict[str, Callable[[Pool, argparse.Namespace], Awaitable[str]]] = {
        "add-owner": _add_owner,
        "tenants": _list,
        "suspend": _suspend,
        "resume": _resume,
        "delete-tenant": _delete,
        "quota": _quota,
    }
    async with open_pool(settings.database_url, settings, name="api command", size=2) as pool:
        print(await obeys[arguments.command](pool, arguments))


async def _add_owner(pool: Pool, arguments: argparse.Namespace) -> str:
    try:
        email = address_spec(arguments.email)
    except NotAnAddress as error:
        raise CannotDo(str(error)) from None
    password = (
        getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    )
    if len(password) < _SHORTEST_PASSWORD:
        raise CannotDo(f"A password has at least {_SHORTEST_PASSWORD} characters.")
    try:
        async with open_hashing(at_once=1) as hashing:
            tenant_id = await add_owner(
                pool, hashing, email=email, name=arguments.name, password=password
            )
    except AddressTaken as taken:
        raise CannotDo(taken.detail) from None
    return f"{email} owns {shown(Kind.TENANT, tenant_id)}"


async def _list(pool: Pool, _: argparse.Namespace) -> str:
    async with pool.acquire() as connection:
        found = await tenants.all_of(connection)
    return "\n".join(
        f"{shown(Kind.TENANT, one.tenant_id)}  {one.members:>5} members  {one.accounts:>5} accounts"
        f"  {one.storage_bytes:>15} octets  {'suspended  ' if one.suspended else ''}{one.name}"
        for one in found
    )


async def _suspend(pool: Pool, arguments: argparse.Namespace) -> str:
    why = arguments.why or "This tenant is suspended; ask who operates this server."
    if not await suspend_tenant(pool, _tenant(arguments), why):
        raise CannotDo("There is no such tenant.")
    return "suspended"


async def _resume(pool: Pool, arguments: argparse.Namespace) -> str:
    if not await suspend_tenant(pool, _tenant(arguments), None):
        raise CannotDo("There is no such tenant.")
    return "resumed"


async def _delete(pool: Pool, arguments: argparse.Namespace) -> str:
    deletion = await delete_tenant(pool, _tenant(arguments))
    if deletion is None:
        raise CannotDo("There is no such tenant.")
    return f"deleted; what is left: /api/v1/deletions/{shown(Kind.DELETION, deletion.deletion_id)}"


async def _quota(pool: Pool, arguments: argparse.Namespace) -> str:
    allowed = Quotas(
        accounts=arguments.accounts,
        storage_bytes=arguments.storage_bytes,
        sends_per_day=arguments.sends_per_day,
        requests_per_minute=arguments.requests_per_minute,
    )
    async with pool.acquire() as connection:
        if not await quotas.set_quotas(connection, _tenant(arguments), allowed):
            raise CannotDo("There is no such tenant.")
    return f"may have: {allowed}"


def _tenant(arguments: argparse.Namespace) -> UUID:
    try:
        return read(Kind.TENANT, arguments.tenant)
    except NotAnId:
        raise CannotDo(f"{arguments.tenant} is no tenant's id (ten_…).") from None
