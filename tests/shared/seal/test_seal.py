import os
import stat
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.account import Endpoint, Security
from shared.seal import (
    Credential,
    Destination,
    KeysUnusable,
    Mismatch,
    OpeningKeys,
    SealingKeys,
    Tampered,
    UnknownKey,
    is_newest,
    key_id_of,
    missing_keys,
    new_key,
    open_sealed,
    publish,
    reseal,
    seal,
)

PASSWORD = "correct horse battery ståple"
INBOX = Destination(
    tenant_id=UUID("01930000-0000-7000-8000-000000000001"),
    account_id=UUID("01930000-0000-7000-8000-000000000002"),
    purpose="imap",
    host="imap.example.org",
    port=993,
    security=Security.TLS,
    username="anna@example.org",
)
CREDENTIAL = Credential.at(INBOX, PASSWORD)


@pytest.fixture
def sync_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "sync"
    new_key(directory)
    return directory


@pytest.fixture
def sync_keys(sync_dir: Path) -> OpeningKeys:
    return OpeningKeys.load(sync_dir)


@pytest.fixture
def api_keys(sync_dir: Path, tmp_path: Path) -> SealingKeys:
    publish(sync_dir, tmp_path / "api" / "sync")
    return SealingKeys.load(tmp_path / "api" / "sync")


def test_what_the_api_seals_sync_opens(api_keys: SealingKeys, sync_keys: OpeningKeys):
    sealed = seal(CREDENTIAL, api_keys)

    assert open_sealed(sealed, sync_keys, INBOX) == CREDENTIAL
    assert PASSWORD.encode() not in sealed
    assert INBOX.host.encode() not in sealed


def test_an_accounts_server_is_the_place_for_its_password():
    endpoint = Endpoint(
        host=INBOX.host,
        port=INBOX.port,
        security=Security.TLS,
        username=INBOX.username,
        verify_certificate=False,
    )
    place = Destination.of(
        endpoint, tenant_id=INBOX.tenant_id, account_id=INBOX.account_id, purpose="imap"
    )

    assert place.differences(INBOX) == ["verify_certificate"]


def test_the_same_password_is_never_sealed_to_the_same_octets(api_keys: SealingKeys):
    assert seal(CREDENTIAL, api_keys) != seal(CREDENTIAL, api_keys)


def test_the_length_of_a_password_does_not_show(api_keys: SealingKeys):
    lengths = {len(seal(Credential.at(INBOX, "x" * n), api_keys)) for n in range(1, 30)}
    assert len(lengths) == 1


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("tenant_id", UUID(int=1)),
        ("account_id", UUID(int=2)),
        ("host", "imap.attacker.example"),
        ("port", 143),
        ("security", Security.NONE),
        ("verify_certificate", False),
        ("username", "berta@example.org"),
    ],
)
def test_a_password_cannot_be_redirected(
    part: str, other: object, api_keys: SealingKeys, sync_keys: OpeningKeys
):
    elsewhere = msgspec.structs.replace(INBOX, **{part: other})

    with pytest.raises(Mismatch, match=part) as raised:
        open_sealed(seal(CREDENTIAL, api_keys), sync_keys, elsewhere)
    assert str(other) not in str(raised.value)


def test_a_password_for_reading_is_none_for_sending(api_keys: SealingKeys, sync_keys: OpeningKeys):
    sending = msgspec.structs.replace(INBOX, purpose="smtp")

    with pytest.raises(Tampered):
        open_sealed(seal(CREDENTIAL, api_keys), sync_keys, sending)


def test_every_flipped_bit_is_noticed(api_keys: SealingKeys, sync_keys: OpeningKeys):
    sealed = seal(CREDENTIAL, api_keys)

    for position in range(len(sealed)):
        for bit in range(8):
            flipped = bytearray(sealed)
            flipped[position] ^= 1 << bit
            with pytest.raises((Tampered, UnknownKey)):
                open_sealed(bytes(flipped), sync_keys, INBOX)


def test_every_truncation_is_noticed(api_keys: SealingKeys, sync_keys: OpeningKeys):
    sealed = seal(CREDENTIAL, api_keys)

    for length in range(len(sealed)):
        with pytest.raises((Tampered, UnknownKey)):
            open_sealed(sealed[:length], sync_keys, INBOX)


def test_a_sealed_credential_moved_to_another_key_id_stays_shut(sync_dir: Path):
    old = OpeningKeys.load(sync_dir)
    sealed = seal(CREDENTIAL, old)
    other = new_key(sync_dir).encode()

    with pytest.raises(Tampered):
        open_sealed(
            sealed.replace(key_id_of(sealed).encode(), other, 1), OpeningKeys.load(sync_dir), INBOX
        )


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_by_name(garbage: bytes):
    with pytest.raises((Tampered, UnknownKey)):
        open_sealed(garbage, OpeningKeys({}), INBOX)


def test_what_was_sealed_with_an_old_key_opens_and_is_sealed_anew(
    sync_dir: Path, api_keys: SealingKeys
):
    old = seal(CREDENTIAL, api_keys)
    newest = new_key(sync_dir)
    keys = OpeningKeys.load(sync_dir)

    assert open_sealed(old, keys, INBOX) == CREDENTIAL
    assert not is_newest(old, keys)

    resealed = reseal(old, keys, INBOX)

    assert key_id_of(resealed) == newest
    assert open_sealed(resealed, keys, INBOX) == CREDENTIAL
    assert reseal(resealed, keys, INBOX) is resealed


def test_resealing_never_moves_a_password_to_another_host(sync_dir: Path, api_keys: SealingKeys):
    old = seal(CREDENTIAL, api_keys)
    new_key(sync_dir)
    elsewhere = msgspec.structs.replace(INBOX, host="imap.attacker.example")

    with pytest.raises(Mismatch):
        reseal(old, OpeningKeys.load(sync_dir), elsewhere)


def test_a_key_in_use_is_missed_when_it_was_retired(sync_dir: Path, api_keys: SealingKeys):
    in_use = key_id_of(seal(CREDENTIAL, api_keys))
    newest = new_key(sync_dir)
    assert missing_keys([in_use, newest], OpeningKeys.load(sync_dir)) == frozenset()

    (sync_dir / f"{in_use}.private").unlink()
    (sync_dir / f"{in_use}.public").unlink()
    keys = OpeningKeys.load(sync_dir)

    assert missing_keys([in_use, newest], keys) == {in_use}
    with pytest.raises(UnknownKey, match=in_use):
        open_sealed(seal(CREDENTIAL, api_keys), keys, INBOX)


def test_the_newest_key_seals_in_whatever_order_the_files_are_read(sync_dir: Path):
    made = [new_key(sync_dir) for _ in range(5)]

    assert OpeningKeys.load(sync_dir).newest[0] == made[-1]
    assert made == sorted(made)


def test_a_clock_that_runs_behind_makes_no_key_that_would_never_seal(sync_dir: Path):
    (sync_dir / "29990101T000000000000-00000000.public").touch()

    with pytest.raises(KeysUnusable, match="clock"):
        new_key(sync_dir)


def test_nothing_shows_a_password(sync_keys: OpeningKeys, capsys: pytest.CaptureFixture[str]):
    structlog.get_logger().warning("opened", credential=CREDENTIAL, keys=sync_keys)
    [key] = sync_keys.by_id.values()

    shown = f"{CREDENTIAL!r} {CREDENTIAL} {sync_keys!r} {capsys.readouterr().out}"

    assert PASSWORD not in shown
    assert "horse" not in shown
    assert key.private_bytes_raw().hex() not in shown
    assert "secret hidden" in shown


def test_what_is_no_credential_says_nothing_of_what_it_was(sync_keys: OpeningKeys):
    wrong = Credential.at(msgspec.structs.replace(INBOX, port=PASSWORD), PASSWORD)  # type: ignore[arg-type]

    with pytest.raises(Tampered) as raised:
        open_sealed(seal(wrong, sync_keys), sync_keys, INBOX)
    assert raised.value.__suppress_context__
    assert "horse" not in str(raised.value)


def test_private_keys_are_for_their_owner_alone(tmp_path: Path):
    before = os.umask(0)
    try:
        key_id = new_key(tmp_path / "keys")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / f"{key_id}.private").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        f"{key_id}.private",
        f"{key_id}.public",
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777])
def test_a_private_key_that_others_may_read_is_not_used(sync_dir: Path, mode: int):
    [private] = sync_dir.glob("*.private")
    private.chmod(mode)

    with pytest.raises(KeysUnusable, match=f"open to others.*{mode:04o}"):
        OpeningKeys.load(sync_dir)


@pytest.mark.parametrize("content", [b"", b"not base64!", b"c2hvcnQ=", b"\xff" * 44])
def test_a_damaged_key_file_is_named(sync_dir: Path, content: bytes):
    [private] = sync_dir.glob("*.private")
    private.write_bytes(content)

    with pytest.raises(KeysUnusable, match=private.name):
        OpeningKeys.load(sync_dir)


def test_a_public_half_of_another_pair_is_noticed(sync_dir: Path, tmp_path: Path):
    other = new_key(tmp_path / "other")
    [public] = sync_dir.glob("*.public")
    public.write_bytes((tmp_path / "other" / f"{other}.public").read_bytes())

    with pytest.raises(KeysUnusable, match="does not belong"):
        OpeningKeys.load(sync_dir)


@pytest.mark.parametrize("keys", [OpeningKeys, SealingKeys])
def test_a_directory_without_keys_says_how_to_make_one(
    keys: type[OpeningKeys] | type[SealingKeys], tmp_path: Path
):
    with pytest.raises(KeysUnusable, match="new-key"):
        keys.load(tmp_path)
    with pytest.raises(KeysUnusable, match="cannot be read"):
        keys.load(tmp_path / "nowhere")


def test_the_api_never_gets_a_private_half_nor_a_key_that_nobody_opens(
    sync_dir: Path, tmp_path: Path
):
    publish(sync_dir, tmp_path / "api")
    assert {path.suffix for path in (tmp_path / "api").iterdir()} == {".public"}

    new_key(tmp_path / "sender")
    with pytest.raises(KeysUnusable, match="cannot open"):
        publish(sync_dir, tmp_path / "sender")


def test_keys_are_made_and_handed_out_from_the_command_line(tmp_path: Path):
    keys, out = tmp_path / "keys", tmp_path / "out"

    made = _run("new-key", str(keys))
    handed_out = _run("public", str(keys), str(out))
    nothing = _run("public", str(tmp_path / "nowhere"), str(out))

    assert made.returncode == handed_out.returncode == 0
    assert made.stdout == handed_out.stdout
    sealed = seal(CREDENTIAL, SealingKeys.load(out))
    assert open_sealed(sealed, OpeningKeys.load(keys), INBOX) == CREDENTIAL
    assert nothing.returncode == 1
    assert nothing.stderr.count("\n") == 1


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shared.seal", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
