"""What discovery and budgets look like, for the reference."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.actions.discover_servers import AskedResult
from services.api.domain.discovery import Confidence, DiscoverySource
from services.api.http.bodies import Body
from services.api.http.budget import AccountBudget, Allowance, MailProfile
from services.api.http.discovery import (
    AddressToDiscover,
    AskedSource,
    DiscoveredServer,
    Discovery,
    FirstStep,
    KnownProvider,
    ServerCandidate,
)
from services.api.http.profile import ChosenProfile, ShownProfile
from shared.contracts.account import Security
from shared.contracts.ids import Kind, shown
from shared.dial.providers import SignIn, StepKind

_MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_STEP = FirstStep(
    kind=StepKind.APP_PASSWORD,
    text="Make an app password and give it here instead of the account's own.",
    link="https://myaccount.google.com/apppasswords",
    only_for=SignIn.APP_PASSWORD,
)
_WAYS = [SignIn.OAUTH2, SignIn.APP_PASSWORD]

_SAID: dict[str, Any] = {
    "provider": "google",
    "connections": 5,
    "bytes_per_day": None,
    "commands_per_day": None,
    "messages_per_day": 500,
    "idle_seconds": None,
    "files_sent": None,
}
BODIES: dict[type[Body], dict[str, Any]] = {
    AddressToDiscover: {"email": "ada@example.org"},
    ChosenProfile: {"provider": "google", "connections": 5, "messages_per_day": 500},
}
ANSWERS: tuple[Struct, ...] = (
    ShownProfile(**_SAID),
    Discovery(
        email="ada@example.org",
        provider=KnownProvider(
            name="google",
            title="Google (Gmail, Google Workspace)",
            sign_in=_WAYS,
            oauth2="google",
            first=[_STEP],
        ),
        warning=None,
        imap=[
            ServerCandidate(
                server=DiscoveredServer(
                    host="imap.gmail.com",
                    port=993,
                    security=Security.TLS,
                    username="ada@example.org",
                ),
                source=DiscoverySource.MX,
                also=[DiscoverySource.SRV],
                confidence=Confidence.HIGH,
                answered=None,
                to_confirm=False,
                provider="google",
                sign_in=_WAYS,
                oauth2="google",
                first=[_STEP],
            )
        ],
        smtp=[],
        asked=[
            AskedSource(source=DiscoverySource.MX, result=AskedResult.FOUND, milliseconds=21),
            AskedSource(source=DiscoverySource.SRV, result=AskedResult.FOUND, milliseconds=24),
            AskedSource(
                source=DiscoverySource.AUTOCONFIG, result=AskedResult.NOTHING, milliseconds=180
            ),
        ],
    ),
    AccountBudget(
        account_id=_ACCOUNT,
        connections=Allowance(used=2, allowed=4, decided_by="operator"),
        bytes=Allowance(used=48_211_000, allowed=2_500_000_000, decided_by="provider"),
        commands=Allowance(used=1280, allowed=None, decided_by=None),
        messages=Allowance(used=12, allowed=2000, decided_by="provider"),
        renews_at=_MIDNIGHT,
        first_copy_rests_until=None,
        profile=MailProfile(
            provider="google",
            title="Google (Gmail, Google Workspace)",
            chosen_by="host",
            server_name="GImap",
            connections=15,
            bytes_per_day=2_500_000_000,
            commands_per_day=None,
            messages_per_day=2000,
            idle_seconds=None,
            files_sent=True,
            files_sent_is_learnt=True,
            quirks=["fleet", "labels", "sender_is_login"],
        ),
        said=ShownProfile(
            provider=None,
            connections=None,
            bytes_per_day=None,
            commands_per_day=None,
            messages_per_day=None,
            idle_seconds=None,
            files_sent=None,
        ),
    ),
)
