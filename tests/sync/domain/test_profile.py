import pytest

from services.sync.domain.profile import Chosen, Why, choose, chosen_before
from shared.contracts.standing import OwnProfile


def known(chosen: Chosen) -> tuple[str | None, Why | None]:
    return (None if chosen.provider is None else chosen.provider.name), chosen.why


@pytest.mark.parametrize(
    ("host", "server_name", "capabilities", "expected"),
    [
        ("imap.gmail.com", None, (), ("google", Why.HOST)),
        ("imap.gmail.com", "Dovecot", ("IDLE",), ("google", Why.HOST)),
        ("mail.example.org", "GImap", (), ("google", Why.SERVER_ID)),
        ("mail.example.org", "gimap", ("X-GM-EXT-1",), ("google", Why.SERVER_ID)),
        ("mail.example.org", None, ("IMAP4REV1", "X-GM-EXT-1"), ("google", Why.CAPABILITY)),
        ("mail.example.org", "Dovecot", ("IDLE",), (None, None)),
        ("mail.example.org", "", (), (None, None)),
    ],
)
def test_a_server_is_known_by_its_name_or_by_what_it_says(
    host: str,
    server_name: str | None,
    capabilities: tuple[str, ...],
    expected: tuple[str | None, Why | None],
) -> None:
    assert known(choose(host, server_name, capabilities)) == expected


def test_what_was_found_before_counts_until_the_table_no_longer_knows_it() -> None:
    assert known(chosen_before("mail.example.org", "google", "server_id")) == (
        "google",
        Why.SERVER_ID,
    )
    assert known(chosen_before("imap.gmail.com", "no-such-provider", "host")) == (
        "google",
        Why.HOST,
    )
    assert known(chosen_before("mail.example.org", None, None)) == (None, None)


def test_of_an_unknown_server_nothing_is_assumed() -> None:
    profile = choose("mail.example.org").profile
    assert profile.connections is None
    assert profile.files_sent is None
    assert not profile.quirks


def test_what_is_said_of_an_account_counts_before_what_is_known() -> None:
    said = choose("imap.gmail.com").by(
        OwnProfile(messages_per_day=0, files_sent=False, idle_seconds=60)
    )
    assert known(said) == ("google", Why.HOST)
    assert said.profile.messages_per_day is None
    assert said.profile.files_sent is False
    assert said.profile.idle_seconds == 60
    assert said.profile.quirks == choose("imap.gmail.com").profile.quirks
    named = choose("mail.example.org").by(OwnProfile(provider="google", connections=2))
    assert known(named) == ("google", Why.ACCOUNT)
    assert (named.profile.connections, named.profile.bytes_per_day) == (2, 2_500_000_000)
    gone = choose("mail.example.org").by(OwnProfile(provider="no-such-provider"))
    assert known(gone) == (None, None)
