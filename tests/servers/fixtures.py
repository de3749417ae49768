"""Dovecot and Postfix for tests: each started when first asked for, stopped with the session."""

from collections.abc import Iterator

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import ServerUnavailable, short_directory
from tests.servers.provider import Provider, for_dovecot


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A running Dovecot, shared by the session: take users by `new_user()`."""
    try:
        Dovecot.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory("postbus-dovecot-") as directory, Dovecot(directory) as server:
        yield server


@pytest.fixture(scope="session")
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    """A running Postfix, shared by the session, that delivers to `dovecot`."""
    try:
        Postfix.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory("postbus-postfix-") as directory, Postfix(directory, dovecot) as server:
        yield server


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def provider(shared_provider: Provider) -> Iterator[Provider]:
    """An OAuth2 provider that is up, and does nothing unusual before the test says so."""
    shared_provider.reset()
    yield shared_provider
    shared_provider.reset()


@pytest.fixture(scope="session")
def token_dovecot(shared_provider: Provider) -> Iterator[Dovecot]:
    """A running Dovecot that takes `provider`'s access tokens, beside the password."""
    try:
        Dovecot.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory("postbus-tokens-") as directory:
        extra, settings = for_dovecot(shared_provider, str(directory))
        (directory / "provider.conf").write_text(settings)
        with Dovecot(directory, extra=extra) as server:
            yield server


@pytest.fixture(scope="session")
def token_postfix(token_dovecot: Dovecot) -> Iterator[Postfix]:
    """A running Postfix that asks `token_dovecot` who somebody is."""
    try:
        Postfix.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with (
        short_directory("postbus-postfix-") as directory,
        Postfix(directory, token_dovecot) as server,
    ):
        yield server
