"""What discovery is asked and answers, for the reference."""

from typing import Any

from msgspec import Struct

from services.api.actions.discover_servers import AskedResult
from services.api.domain.discovery import Confidence, DiscoverySource
from services.api.http.bodies import Body
from services.api.http.discovery import (
    AddressToDiscover,
    AskedSource,
    DiscoveredServer,
    Discovery,
    FirstStep,
    KnownProvider,
    ServerCandidate,
)
from shared.contracts.account import Security
from shared.dial.providers import SignIn, StepKind

_STEP = FirstStep(
    kind=StepKind.APP_PASSWORD,
    text="Make an app password and give it here instead of the account's own.",
    link="https://myaccount.google.com/apppasswords",
    only_for=SignIn.APP_PASSWORD,
)
_WAYS = [SignIn.OAUTH2, SignIn.APP_PASSWORD]

BODIES: dict[type[Body], dict[str, Any]] = {AddressToDiscover: {"email": "ada@example.org"}}
ANSWERS: tuple[Struct, ...] = (
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
)
