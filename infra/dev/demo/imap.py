"""The demo server's IMAP: pymap's protocol over the stored mailboxes."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.session import BaseSession
from pymap.config import BackendCapability, IMAPConfig
from pymap.exceptions import AuthorizationFailure, InvalidAuth, NotAllowedError
from pymap.imap import IMAPServer
from pymap.interfaces.login import IdentityInterface, LoginInterface
from pymap.interfaces.token import TokensInterface
from pymap.token import AllTokens
from pymap.user import UserMetadata
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import Cleartext

from infra.dev.demo import DOMAIN, DemoAccount
from infra.dev.demo.mailboxes import StoredMailboxes, StoredMessage

LARGEST_MESSAGE = 50 * 1024 * 1024


class DemoConfig(IMAPConfig):
    """IMAP as the demo offers it: no TLS, passwords everybody knows."""

    def __init__(self) -> None:
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            tls_enabled=False,
            hash_context=Cleartext(),
            max_append_len=LARGEST_MESSAGE,
        )

    @property
    def backend_capability(self) -> BackendCapability:
        return BackendCapability(idle=True, object_id=True, multi_append=True)

    @property
    def greeting(self) -> bytes:
        return f"{DOMAIN} demo server".encode()


class DemoSession(BaseSession[StoredMessage]):
    """One login."""

    def __init__(self, owner: str, config: DemoConfig, mailboxes: StoredMailboxes) -> None:
        super().__init__(owner)
        self._config = config
        self._mailboxes = mailboxes

    @property
    def config(self) -> DemoConfig:
        return self._config

    @property
    def mailbox_set(self) -> StoredMailboxes:
        return self._mailboxes


class DemoIdentity(IdentityInterface):
    """A demo user, who is given and cannot be changed by clients."""

    def __init__(
        self, account: DemoAccount, config: DemoConfig, mailboxes: StoredMailboxes
    ) -> None:
        self._account, self._config, self._mailboxes = account, config, mailboxes

    @property
    def name(self) -> str:
        return self._account.address

    @property
    def roles(self) -> frozenset[str]:
        return frozenset()

    @asynccontextmanager
    async def new_session(self) -> AsyncGenerator[DemoSession]:
        yield DemoSession(self.name, self._config, self._mailboxes)

    async def new_token(self, *, expiration: datetime | None = None) -> str | None:
        return None

    async def get(self) -> UserMetadata:
        return UserMetadata(self._config, self.name, password=self._account.password)

    async def set(self, metadata: UserMetadata) -> int | None:
        raise NotAllowedError("Demo users do not change.")

    async def delete(self) -> None:
        raise NotAllowedError("Demo users stay.")


class DemoLogin(LoginInterface):
    """Knows the demo users by address."""

    def __init__(self, config: DemoConfig, identities: Mapping[str, DemoIdentity]) -> None:
        self._identities = identities
        self._tokens = AllTokens(config)

    @property
    def tokens(self) -> TokensInterface:
        return self._tokens

    async def authenticate(self, credentials: ServerCredentials) -> DemoIdentity:
        identity = self._identities.get(credentials.authcid.lower())
        if identity is None or not credentials.verify(await identity.get()):
            raise InvalidAuth()
        return identity

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> IdentityInterface:
        if authzid.lower() != authenticated.name:
            raise AuthorizationFailure()
        return authenticated


async def serve_imap(
    host: str,
    port: int,
    accounts: tuple[DemoAccount, ...],
    mailboxes: Mapping[str, StoredMailboxes],
) -> asyncio.Server:
    """Listen for IMAP clients of the accounts."""
    config = DemoConfig()
    config.apply_context()
    identities = {
        each.address: DemoIdentity(each, config, mailboxes[each.address]) for each in accounts
    }
    server = IMAPServer(DemoLogin(config, identities), config)
    connected = ProxyProtocolReader(config.proxy_protocol).get_callback(server)
    return await asyncio.start_server(connected, host=host, port=port)
