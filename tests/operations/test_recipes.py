"""The recipes of the justfile: what each says of itself, and what it has Docker do."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from infra.dev import postgres
from tests.operations.recipes import ROOT, Clone, recipes
from tests.platform import Platform

# What an operator of a stack was promised, by name.
PROMISED = (
    "up down status logs dev health psql migrate bus dead-letters replay backup restore certs "
    "secrets user-add mail-user-add scale reindex audit bench chaos fuzz restart build shell "
    "test-watch reset prune secrets-rotate startup-check restore-drill image-build image-scan "
    "image-pin image-push mailq mailq-flush mailq-delete test test-all test-compose compose"
)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_every_promised_recipe_is_there_and_each_says_in_a_line_what_it_does() -> None:
    there = recipes()
    assert set(PROMISED.split()) <= set(there)
    for name, recipe in there.items():
        if not recipe["private"]:
            doc = recipe["doc"]
            assert isinstance(doc, str), name
            assert "\n" not in doc
            assert recipe["attributes"], f"{name} is in no group"


def test_whatever_a_document_or_a_message_says_to_type_is_a_recipe() -> None:
    there = set(recipes())
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("compose*.yaml")]
    for place in ("infra", "shared", "services"):
        for end in ("py", "yml", "env", "yaml"):
            files += (ROOT / place).rglob(f"*.{end}")
    for file in files:
        if "node_modules" in file.parts:
            continue
        for name in re.findall(r"(?:`|^ *)\./just\s+([a-z][a-z-]+)", file.read_text("utf-8"), re.M):
            assert name in there, f"{file.relative_to(ROOT)}: ./just {name}"


def test_the_steps_by_hand_reach_the_container_that_is_named(clone: Clone) -> None:
    assert clone.did("restart", "api", "sender") == ["compose restart api sender"]
    assert clone.did("restart") == ["compose restart"]
    assert clone.did("logs", "api") == ["compose logs --follow --tail 100 api"]
    assert clone.did("shell", "true") == ["compose exec true sh"]
    assert clone.did("build", "api") == ["compose --profile mail build api"]
    assert clone.did("compose", "ps") == ["compose ps"]
    assert clone.run("shell").returncode != 0
    assert clone.said() == []


@pytest.mark.parametrize(
    ("words", "leads_to"),
    [
        ("dead-letters", "run --rm --no-deps --no-TTY bus python -m shared.bus dead-letters"),
        ("replay x", "run --rm --no-deps --no-TTY bus python -m shared.bus replay x"),
        ("audit acc_1", "exec --no-TTY true python -m services.sync audit acc_1"),
        ("reindex", "exec --no-TTY true python -m services.indexer reindex"),
        ("retell indexer", "exec --no-TTY true python -m services.indexer retell"),
        (
            "add-owner a@b.example",
            "exec --no-TTY true python -m services.api add-owner a@b.example",
        ),
    ],
)
def test_what_is_done_by_hand_is_done_in_the_container_it_is_for(
    clone: Clone, words: str, leads_to: str
) -> None:
    clone.installs("python", "exit 0")
    (said,) = clone.did("stack", *words.split())
    container = said.split("--no-TTY ")[1].split()[0]
    assert container in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert said == f"compose {leads_to}".replace(" true ", f" {container} ")


def test_what_is_nothing_to_do_by_hand_is_refused(clone: Clone) -> None:
    for words in ((), ("reset",), ("retell", "sender")):
        assert clone.run("stack", *words).returncode == 2
        assert clone.said() == []


def test_prune_takes_images_of_ours_and_never_a_volume(clone: Clone) -> None:
    said = clone.did("prune")
    assert [one.split()[:2] for one in said] == [["image", "prune"], ["builder", "prune"]]
    assert "label=org.opencontainers.image.vendor=Postbus" in said[0]
    dockerfiles = sorted((ROOT / "infra/images").glob("*Dockerfile"))
    assert dockerfiles
    for dockerfile in dockerfiles:
        assert 'org.opencontainers.image.vendor="Postbus"' in dockerfile.read_text(), dockerfile
    assert "volume" not in " ".join(said)
    assert "--all" not in " ".join(said)


def test_scale_is_remembered_and_starts_what_is_missing(clone: Clone) -> None:
    (clone.path / ".env").write_text("LOG_LEVEL=DEBUG\nSYNC_LISTEN_REPLICAS=2\n")
    up = "compose up --detach --wait --no-deps --no-recreate"
    assert clone.did("scale", "sync-listen", "3") == [f"{up} sync-listen"]
    assert clone.did("scale", "api", "2") == [f"{up} api"]
    remembered = (clone.path / ".env").read_text()
    assert remembered == "LOG_LEVEL=DEBUG\nSYNC_LISTEN_REPLICAS=3\nAPI_REPLICAS=2\n"
    compose = (ROOT / "compose.yaml").read_text()
    assert "scale: ${SYNC_LISTEN_REPLICAS:-1}" in compose


@pytest.mark.parametrize("words", [("postgres", "2"), ("api", "0"), ("api", "two"), ("api", "-1")])
def test_a_scale_that_makes_no_sense_changes_nothing(clone: Clone, words: tuple[str, str]) -> None:
    assert clone.run("scale", *words).returncode == 2
    assert clone.said() == []
    assert not (clone.path / ".env").exists()


def test_images_go_to_the_registry_that_is_named_and_nowhere_else(clone: Clone) -> None:
    refused = clone.run("image-push")
    assert refused.returncode == 2
    assert "POSTBUS_REGISTRY says where to" in refused.stderr
    assert not [one for one in clone.said() if one.startswith("push")]
    said = clone.did("image-push", POSTBUS_REGISTRY="registry.example.org/")
    pushed = [one for one in said if one.startswith("push")]
    assert pushed == ["push postbus-api:1", "push postbus-sync:1"]


def test_images_of_others_are_pinned_by_what_is_on_the_machine(clone: Clone) -> None:
    done = clone.run("image-pin")
    assert done.returncode == 0, done.stderr
    assert "redis:8 is not pinned: it was not pulled to this machine" in done.stderr
    pins = (clone.path / "compose.pins.yaml").read_text().splitlines()[1:]
    pinned = "nats:2@sha256:" + "a" * 64
    assert pins == ["services:", f'  nats: {{ image: "{pinned}" }}']


def test_every_image_of_ours_is_looked_through_although_one_has_holes(clone: Clone) -> None:
    clone.installs("trivy", 'echo "$@" >>"$SAID.scanned"; case $* in *api*) exit 1 ;; esac')
    done = clone.run("image-scan")
    assert done.returncode == 1
    assert "images: look at postbus-api:1\n" in done.stderr
    scanned = (clone.bin.parent / "said.scanned").read_text().splitlines()
    assert [line.split()[-1] for line in scanned] == ["postbus-api:1", "postbus-sync:1"]
    assert all("--exit-code 1" in line and "HIGH,CRITICAL" in line for line in scanned)
    named = clone.run("image-scan", IMAGE_SCANNER="echo seen")
    assert (named.returncode, named.stdout) == (0, "seen postbus-api:1\nseen postbus-sync:1\n")


def test_who_has_no_scanner_is_told_so_and_has_the_images_all_the_same(clone: Clone) -> None:
    alone = clone.run("image-scan")
    assert alone.returncode == 3
    assert "nothing was looked through" in alone.stderr
    built = clone.run("image-build")
    assert built.returncode == 0
    assert "compose --profile mail build" in clone.said()
    assert "nothing was looked through" in built.stderr


async def test_psql_is_led_to_the_schema_of_a_service(platform: Platform, clone: Clone) -> None:
    server = urlsplit(platform.postgres.url)
    as_in_the_container = {
        "PGHOST": server.hostname or "",
        "PGPORT": str(server.port),
        "PGUSER": server.username or "",
        "PGPASSWORD": server.password or "",
    }
    clone.installs(
        "psql", f'exec {postgres.binaries() / "psql"} --command "SHOW search_path" -At "$@"'
    )
    for words, schema in ((("sync",), "sync"), ((), "public")):
        done = clone.run("psql", *words, **as_in_the_container)
        assert (done.returncode, done.stdout) == (0, f"{schema}\n"), done.stderr
