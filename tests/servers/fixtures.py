"""Dovecot and Postfix for tests: each started when first asked for, stopped with the session."""

from collections.abc import Iterator

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import ServerUnavailable, short_directory


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
