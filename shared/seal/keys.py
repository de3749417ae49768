"""The key pairs, as files.

A directory holds `<key id>.private` (raw X25519 key in base64, mode 0600) and
`<key id>.public`. Key ids begin with the time they were made, so the newest sorts last: it
seals, all open. The api's copy of a directory has the public files only.

To rotate: `new-key` in the service's directory, restart the service, `public` to the api's
directory, restart the api. The services seal anew what they hold as they open it; an old key
may go when `missing_keys` of those in use would be empty without it.
"""

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from shared.seal.errors import KeysUnusable, UnknownKey

_KEY_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """Public keys: enough to seal, nothing to open with."""

    by_id: Mapping[str, X25519PublicKey]

    @classmethod
    def load(cls, directory: Path) -> "SealingKeys":
        return cls(
            {
                key_id: X25519PublicKey.from_public_bytes(_read(path))
                for key_id, path in _files(directory, ".public").items()
            }
        )

    @property
    def newest(self) -> tuple[str, X25519PublicKey]:
        key_id = max(self.by_id)
        return key_id, self.by_id[key_id]

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self.by_id)

    def __repr__(self) -> str:
        return f"SealingKeys({sorted(self.by_id)})"


@dataclass(frozen=True, slots=True)
class OpeningKeys:
    """The key pairs of one service."""

    by_id: Mapping[str, X25519PrivateKey]

    @classmethod
    def load(cls, directory: Path) -> "OpeningKeys":
        keys: dict[str, X25519PrivateKey] = {}
        for key_id, path in _files(directory, ".private").items():
            key = X25519PrivateKey.from_private_bytes(_read(path, private=True))
            public = path.with_name(f"{key_id}.public")
            if public.exists() and _read(public) != key.public_key().public_bytes_raw():
                raise KeysUnusable(f"{public} does not belong to {path.name}.")
            keys[key_id] = key
        return cls(keys)

    @property
    def newest(self) -> tuple[str, X25519PublicKey]:
        """The key to seal with: its id and its public half."""
        key_id = max(self.by_id)
        return key_id, self.by_id[key_id].public_key()

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self.by_id)

    def private_key(self, key_id: str) -> X25519PrivateKey:
        try:
            return self.by_id[key_id]
        except KeyError:
            raise UnknownKey(
                f"The credential was sealed for key {key_id!a}, which is not here."
            ) from None

    def __repr__(self) -> str:
        return f"OpeningKeys({sorted(self.by_id)})"


def missing_keys(in_use: Iterable[str], keys: SealingKeys | OpeningKeys) -> frozenset[str]:
    """The keys that credentials still need and that are not here.

    A service asks at its start, with the key ids of its rows, and does not start when any is
    missing: a key in use cannot be retired.
    """
    return frozenset(in_use) - keys.key_ids


def new_key(directory: Path) -> str:
    """Make a key pair that seals from now on; return its id."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    known = [path.stem for path in directory.iterdir() if path.suffix in (".private", ".public")]
    if known and max(known) >= key_id:
        raise KeysUnusable(
            f"{max(known)} in {directory} is newer than this machine's clock: "
            "a new key would not be the newest."
        )
    key = X25519PrivateKey.generate()
    # The private half first: nothing may be sealed for a key that nobody has.
    _write(directory / f"{key_id}.private", key.private_bytes_raw(), mode=0o600)
    _write(directory / f"{key_id}.public", key.public_key().public_bytes_raw(), mode=0o644)
    return key_id


def publish(directory: Path, out: Path) -> frozenset[str]:
    """Copy the public halves to where they are sealed with; return their ids."""
    keys = OpeningKeys.load(directory)
    out.mkdir(mode=0o755, parents=True, exist_ok=True)
    foreign = {path.stem for path in out.glob("*.public")} - keys.key_ids
    if foreign and max(foreign) > keys.newest[0]:
        raise KeysUnusable(
            f"{out} would go on sealing for {max(foreign)}, which {directory} cannot open."
        )
    for key_id, key in keys.by_id.items():
        _write(out / f"{key_id}.public", key.public_key().public_bytes_raw(), mode=0o644)
    return keys.key_ids


def _files(directory: Path, suffix: str) -> dict[str, Path]:
    try:
        found = {path.stem: path for path in directory.iterdir() if path.suffix == suffix}
    except OSError as unreadable:
        raise KeysUnusable(
            f"The seal keys in {directory} cannot be read: {unreadable.strerror}."
        ) from unreadable
    if not found:
        raise KeysUnusable(
            f"There is no {suffix} key in {directory}: make one with "
            "`python -m shared.seal new-key`, or copy it there with `public`."
        )
    for key_id, path in found.items():
        if not _KEY_ID.fullmatch(key_id):
            raise KeysUnusable(f"{path} is not named like a key.")
    return found


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if private and mode & 0o077:
                raise KeysUnusable(
                    f"{path} is open to others (mode {mode:04o}): `chmod 600` it, and make a new "
                    "key if anybody may have read it."
                )
            raw = base64.b64decode(file.read(256).strip(), validate=True)
    except OSError as unreadable:
        raise KeysUnusable(f"{path} cannot be read: {unreadable.strerror}.") from unreadable
    except binascii.Error:
        raise KeysUnusable(f"{path} is not a key in base64.") from None
    if len(raw) != 32:
        raise KeysUnusable(f"{path} is not an X25519 key of 32 octets.")
    return raw


def _write(path: Path, raw: bytes, *, mode: int) -> None:
    """Write a key file whole or not at all, never for a moment open to others."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(base64.b64encode(raw) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
