"""What a backup promises, apart from the platform: it is whole, it is secret, it is kept."""

import asyncio
import io
import os
import stat
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from infra.backup import recovery_key, sets
from infra.backup.base import BaseFailed, check
from infra.backup.restore import NotRestored, unpack
from infra.backup.retention import kept, rolled_forward_from
from infra.backup.sealed import Key, NotOpened, opened, seal
from infra.backup.sets import BadSet, Cluster, Manifest
from infra.backup.settings import Settings
from infra.backup.take import prune, take, tarred
from infra.backup.volumes import Volumes, restore_configuration, restore_volumes
from infra.dev import postgres
from infra.dev.postgres import EmbeddedPostgres
from infra.own_database import own_database
from shared.db.restoration import SETTING

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = b"All the mail there is. " * 100_000


def sealed(tmp_path: Path, key: Key) -> Path:
    path = tmp_path / "mail.tar.zst.age"
    seal(io.BytesIO(TEXT), path, [key.public])
    return path


def test_only_the_recovery_key_opens_a_backup(tmp_path: Path) -> None:
    key = Key.new()
    path = sealed(tmp_path, key)
    assert TEXT[:22] not in path.read_bytes()
    with opened(path, Key.read(f"# a comment\n{key.private}\n")) as plain:
        assert plain.read() == TEXT
    with pytest.raises(NotOpened), opened(path, Key.new()) as plain:
        plain.read()


@pytest.mark.parametrize("harm", ["changed", "cut", "empty"])
def test_a_damaged_backup_is_not_opened_as_if_it_were_whole(tmp_path: Path, harm: str) -> None:
    key = Key.new()
    path = sealed(tmp_path, key)
    data = bytearray(path.read_bytes())
    if harm == "changed":
        data[-20] ^= 1
    path.write_bytes(data if harm == "changed" else data[: len(data) // 2 if harm == "cut" else 0])
    with pytest.raises(NotOpened), opened(path, key) as plain:
        plain.read()


@pytest.mark.parametrize("text", ["", "hunter2", "AGE-SECRET-KEY-1NOTAKEY"])
def test_what_is_no_recovery_key_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotOpened):
        Key.read(text)


def test_the_recovery_key_is_shown_once(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "recovery-key.pub"
    private = recovery_key.make(file)
    assert private is not None
    assert private not in file.read_text()
    assert Key.read(private).public in file.read_text()
    assert recovery_key.make(file) is None


def test_a_base_that_is_cut_off_is_none() -> None:
    with pytest.raises(BaseFailed):
        check(io.BytesIO(b""))


def test_a_set_a_day_and_then_a_set_a_week_is_kept() -> None:
    made = [NOW - timedelta(days=day, hours=hour) for day in range(60) for hour in (0, 6)]
    keep = kept(made, daily=7, days=30, now=NOW)
    for day in range(7):
        assert NOW - timedelta(days=day) in keep
        assert NOW - timedelta(days=day, hours=6) not in keep
    older = sorted(moment for moment in keep if moment < NOW - timedelta(days=7))
    assert len(older) in (3, 4)
    assert len({moment.strftime("%G-%V") for moment in older}) == len(older)
    assert min(keep) >= NOW - timedelta(days=30)
    assert rolled_forward_from(made, daily=7) == NOW - timedelta(days=6, hours=6)


def test_the_last_backup_is_kept_however_old_it_is() -> None:
    old = NOW - timedelta(days=400)
    assert kept([old], daily=7, days=30, now=NOW) == {old}


def test_what_is_not_kept_goes_with_the_wal_that_only_it_needed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(Key.new().public)
    for day in range(40):
        moment = NOW - timedelta(days=day)
        place = tmp_path / "sets" / sets.name_of(moment)
        place.mkdir(parents=True)
        sets.finish(place.rename(sets.drafted(tmp_path, "x")), a_manifest(moment, 100 - day))
    wal = sets.wal_of(tmp_path, 7)
    wal.mkdir(parents=True)
    for number in range(60, 101):
        (wal / f"0000000100000000{number:08X}.zst.age").touch()
    (wal / "00000002.history.zst.age").touch()
    settings = Settings(
        dir=tmp_path, database_url="postgresql://x:y@z/", recovery_key_file=tmp_path / "key",
        probe_port=0,
    )  # type: ignore[arg-type]  # fmt: skip
    prune(settings, NOW)
    left = sets.whole(tmp_path)
    assert len(left) in (10, 11, 12)
    names = sorted(path.name for path in wal.iterdir())
    assert names[0] == "00000001000000000000005E.zst.age"  # where the seventh day began
    assert names[-1] == "00000002.history.zst.age"


def test_a_set_that_is_not_as_it_was_written_is_refused(tmp_path: Path) -> None:
    key = Key.new()
    place = tmp_path / "sets" / "20261122T120000Z"
    place.mkdir(parents=True)
    written = seal(io.BytesIO(TEXT), place / "database.tar.zst.age", [key.public])
    manifest = a_manifest(NOW, 1, written)
    sets.check_files(place, manifest)
    (place / written.name).write_bytes(b"something else")
    with pytest.raises(BadSet, match="not as it was written"):
        sets.check_files(place, manifest)
    (place / written.name).unlink()
    with pytest.raises(BadSet, match="missing"):
        sets.check_files(place, manifest)


def test_of_a_clone_what_is_the_operators_own_is_taken_and_comes_back_as_it_was(
    tmp_path: Path,
) -> None:
    key, clone, backups = Key.new(), tmp_path / "clone", tmp_path / "backups"
    for name in ("secrets/nats", "infra/alertmanager/alertmanager.yml", "infra/other", ".git/x"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text(name)
    (clone / ".env").write_text("mine")
    (clone / ".env").chmod(0o640)
    place = backups / "sets" / sets.name_of(NOW)
    place.mkdir(parents=True)
    names = (".env", "secrets", "infra/alertmanager", "not-there")
    with tarred(clone, names, None) as source:
        written = seal(source, place / "configuration.tar.zst.age", [key.public])
    sets.finish(place.rename(sets.drafted(backups, "x")), a_manifest(NOW, 1, written))
    (clone / ".env").write_text("newer")
    (clone / "secrets/another").touch()
    restore_configuration(backups, sets.name_of(NOW), key, clone, ".before-now")
    assert (clone / ".env").read_text() == "mine"
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o640
    assert (clone / ".env.before-now").read_text() == "newer"
    assert [path.name for path in (clone / "secrets").iterdir()] == ["nats"]
    assert (clone / "secrets.before-now/another").exists()
    restored = {str(path.relative_to(clone)) for path in clone.rglob("*") if path.is_file()}
    assert restored == {
        *(".env", ".env.before-now", ".git/x", "infra/other", "secrets/nats"),
        *("secrets.before-now/nats", "secrets.before-now/another"),
        "infra/alertmanager/alertmanager.yml",
        "infra/alertmanager.before-now/alertmanager.yml",
    }


@pytest.mark.parametrize(
    ("name", "kind", "leads_to"),
    [
        ("../out", tarfile.REGTYPE, ""),
        ("/tmp/out", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../../out"),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("link", tarfile.LNKTYPE, "../out"),
        ("pipe", tarfile.FIFOTYPE, ""),
    ],
)
@pytest.mark.parametrize("owners", [False, True])
def test_nothing_leaves_the_directory_that_a_backup_is_unpacked_to(
    tmp_path: Path, name: str, kind: bytes, leads_to: str, *, owners: bool
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, leads_to
        tar.addfile(member)
    packed.seek(0)
    to = tmp_path / "inner" / "to"
    to.mkdir(parents=True)
    with pytest.raises(tarfile.ReadError):
        unpack(packed, to, owners=owners)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "to"]


def test_one_message_in_two_mailboxes_comes_back_as_one_file(tmp_path: Path) -> None:
    (tmp_path / "mail/new").mkdir(parents=True)
    (tmp_path / "mail/new/1").write_bytes(b"a letter")
    os.link(tmp_path / "mail/new/1", tmp_path / "mail/2")
    (tmp_path / "to").mkdir()
    with tarred(tmp_path, ("mail",), None) as source:
        unpack(io.BytesIO(source.read()), tmp_path / "to")
    restored = [tmp_path / "to/mail/new/1", tmp_path / "to/mail/2"]
    assert {path.read_bytes() for path in restored} == {b"a letter"}
    assert len({path.stat().st_ino for path in restored}) == 1
    assert {stat.S_IMODE(path.stat().st_mode) & 0o022 for path in restored} == {0}


def test_a_backup_comes_back_to_empty_volumes_only(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    with pytest.raises(NotRestored, match="There is a database"):
        restore_volumes(
            tmp_path, "latest", Key.new(), volumes=Volumes(cluster=tmp_path / "cluster")
        )
    assert (tmp_path / "cluster").exists()


async def test_a_set_comes_back_to_empty_volumes_with_everything_in_them(tmp_path: Path) -> None:
    key, secret = Key.new(), "a password"
    (tmp_path / "key").write_text(key.public)
    for name in ("keys/api/jwt.json", "mail/boxes/ada/cur/1", "mail/boxes/ada/dovecot.index.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "keys/api").chmod(0o710)
    async with EmbeddedPostgres(tmp_path / "lost", password=secret) as server:
        here = server.url.replace(f"postgres:{quote(secret)}@", "{}:x@")
        ours = here.removesuffix("/postgres") + "/ours"
        admin, backup = ours.format("ours_admin"), ours.format("ours_backup")
        await own_database(server.url, admin, backup)
        connection = await asyncpg.connect(admin)
        await connection.execute("CREATE TABLE kept AS SELECT 'a word' AS word")
        await connection.close()
        settings = Settings(
            dir=tmp_path / "backups", database_url=backup, recovery_key_file=tmp_path / "key",
            keys_dir=tmp_path / "keys", mail_dir=tmp_path / "mail", probe_port=0,
        )  # type: ignore[arg-type]  # fmt: skip
        await asyncio.to_thread(take, settings)
    new = tmp_path / "new"
    for name in ("keys", "mail", "clone", "streams/jetstream", "state"):
        (new / name).mkdir(parents=True)
    volumes = Volumes(
        cluster=postgres.place(new / "cluster"),
        cluster_owner=postgres.NOBODY if postgres.sheltered() else os.geteuid(),
        keys=new / "keys",
        mail=new / "mail",
        configuration=new / "clone",
        streams=new / "streams",
        recovery_key=new / "state/recovery-key.pub",
    )
    await asyncio.to_thread(restore_volumes, tmp_path / "backups", "latest", key, volumes=volumes)
    assert (new / "keys/api/jwt.json").read_text() == "keys/api/jwt.json"
    assert stat.S_IMODE((new / "keys/api").stat().st_mode) == 0o710
    assert [path.name for path in (new / "mail").rglob("*") if path.is_file()] == ["1"]
    assert not list((new / "streams").iterdir())
    assert key.public in (new / "state/recovery-key.pub").read_text()
    async with EmbeddedPostgres(new / "cluster", password=secret) as server:
        connection = await asyncpg.connect(server.url.removesuffix("/postgres") + "/ours")
        assert await connection.fetchval("SELECT word FROM kept") == "a word"
        assert await connection.fetchval(f"SHOW {SETTING}")
        await connection.close()


def a_manifest(moment: datetime, segment: int, *files: object) -> Manifest:
    return Manifest(
        format=1,
        name=sets.name_of(moment),
        made_at=moment,
        seconds=1.0,
        release="0.1.0",
        cluster=Cluster(
            system_identifier=7,
            version="18",
            timeline=1,
            start_lsn=f"0/{segment << 24:X}",
            end_lsn=f"0/{segment << 24:X}",
        ),
        files=files,  # type: ignore[arg-type]
    )
