"""compose.yaml and its image: what runs, what each container may do, and what each is told."""

import http.server
import importlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from pydantic import AliasChoices

from infra.own_database import own_database
from shared.contracts.catalogue import SERVICES
from shared.seal import OpeningKeys, SealingKeys
from tests.platform import Platform

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
MANAGED = (ROOT / "compose.managed.yaml").read_text("utf-8")
STACK: dict[str, Any] = yaml.safe_load(COMPOSE)
CONTAINERS: dict[str, dict[str, Any]] = STACK["services"]
PASSED = [
    line
    for line in (ROOT / "infra/images/settings.env").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def service_of(container: dict[str, Any]) -> str | None:
    """The service that a container runs; None for servers and for the steps of a deploy."""
    return container.get("build", {}).get("args", {}).get("SERVICE")


RUNNING = {name: c for name, c in CONTAINERS.items() if service_of(c)}
STEPS = {
    name: c for name, c in CONTAINERS.items() if c.get("restart") == "no" and "profiles" not in c
}
# Mail servers begin as root, to be somebody else for each thing they do; so does the step that
# gives each key to its owner, and what reads (and brings back) what belongs to everybody.
BEGINS_AS_ROOT = {
    *("postfix", "dovecot", "opendkim", "mail-admin", "mail-setup", "certs"),
    *("backup", "restore", "postfix-exporter", "log-shipper"),
}
DOCKERFILES = sorted((ROOT / "infra/images").glob("*Dockerfile"))


def settings_of(service: str) -> dict[str, bool]:
    """Each variable that a service reads, and whether it must be set."""
    settings = importlib.import_module(f"services.{service}.settings").Settings
    variables: dict[str, bool] = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            variable = str(alias.choices[0])
        else:
            variable = f"{settings.model_config['env_prefix']}{name}".upper()
        variables[variable] = field.is_required()
    return variables


def interpolated(value: object) -> set[str]:
    return set(re.findall(r"\$\{(\w+)", str(value)))


def test_every_service_runs_and_sync_in_both_roles() -> None:
    assert {service_of(container) for container in RUNNING.values()} == set(SERVICES)
    roles = {c["environment"]["SYNC_ROLE"] for c in RUNNING.values() if service_of(c) == "sync"}
    assert roles == {"listen", "answer"}


@pytest.mark.parametrize("name", RUNNING)
def test_a_container_is_told_what_its_service_reads_and_all_that_it_needs(name: str) -> None:
    told = set(RUNNING[name]["environment"])
    read = settings_of(service_of(RUNNING[name]) or "")
    told = {variable if variable in read else variable.removesuffix("_FILE") for variable in told}
    assert told <= set(read)
    assert {variable for variable, required in read.items() if required} <= told
    assert RUNNING[name]["env_file"] == "infra/images/settings.env"


def test_an_operators_every_setting_reaches_the_containers() -> None:
    told = {
        name
        for container in RUNNING.values()
        for variable in container["environment"]
        for name in (variable, variable.removesuffix("_FILE"))
    }
    read = {variable for service in SERVICES for variable in settings_of(service)}
    assert set(PASSED) == read - told, "infra/images/settings.env names what .env may set"
    assert len(PASSED) == len(set(PASSED))
    assert all(re.fullmatch(r"[A-Z_]+", name) for name in PASSED), "names, never values"


def test_no_password_stands_in_the_environment_of_a_container() -> None:
    for name, container in CONTAINERS.items():
        for variable, value in container.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert variable.endswith("_FILE"), (name, variable)  # Grafana's is __FILE
                assert value == f"/run/secrets/{Path(value).name}"
                assert Path(value).name in container["secrets"], (name, variable)
            if variable.endswith("_URL"):
                assert not re.search(r"://[^/]*:[^/@]*@", value), (name, variable)


def test_each_secret_is_a_file_of_one_directory_and_somebody_needs_it() -> None:
    secrets = STACK["secrets"]
    assert all(secrets[name] == {"file": f"./secrets/{name}"} for name in secrets)
    assert {name for c in CONTAINERS.values() for name in c.get("secrets", [])} == set(secrets)
    for name, container in CONTAINERS.items():
        told = {
            Path(value).name
            for variable, value in container.get("environment", {}).items()
            if variable.endswith("_FILE") and str(value).startswith("/run/secrets/")
        }
        assert told == set(container.get("secrets", [])), name


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_is_told_its_own_passwords_only(name: str) -> None:
    service = service_of(RUNNING[name])
    assert set(RUNNING[name]["secrets"]) == {
        f"{service}_database_password",
        f"{service}_request_database_password",
        f"nats_{service}_password",
    }


def test_database_and_bus_are_spoken_to_over_tls_and_are_known_by_their_certificate() -> None:
    for name, container in CONTAINERS.items():
        for variable, value in container.get("environment", {}).items():
            if variable.endswith("_URL") and "DATABASE" in variable:
                assert "sslmode=verify-full&sslrootcert=/certs/ca.crt" in value, name
                assert "certs-trust:/certs:ro" in container["volumes"], name
            if variable.endswith("BUS_URL") or variable == "BUS_ADMIN_URL":
                assert value.startswith("tls://"), name
                prefix = variable.removesuffix("_URL").removesuffix("_ADMIN")
                assert container["environment"][f"{prefix}_CA_FILE"] == "/certs/ca.crt"
    hba = (ROOT / "infra/postgres/pg_hba.conf").read_text("utf-8").splitlines()
    rules = [line.split() for line in hba if line and not line.startswith("#")]
    assert {rule[0] for rule in rules} == {"local", "hostssl"}
    assert {rule[-1] for rule in rules} == {"peer", "scram-sha-256"}
    assert "-cssl=on" in CONTAINERS["postgres"]["command"]


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_sees_no_keys_but_its_own_and_changes_none(name: str) -> None:
    service = service_of(RUNNING[name])
    keys = [] if service == "indexer" else [f"keys-{service}:/keys/{service}:ro"]
    assert RUNNING[name]["volumes"] == [*keys, "certs-trust:/certs:ro"]


def test_an_authoritys_key_is_seen_by_who_issues_and_each_servers_by_that_server() -> None:
    seen = {
        volume: {
            name
            for name, container in CONTAINERS.items()
            if any(str(mount).startswith(f"{volume}:") for mount in container.get("volumes", []))
        }
        for volume in STACK["volumes"]
        if volume.startswith("certs-") and volume != "certs-trust"
    }
    assert seen == {
        "certs-authority": {"certs"},
        "certs-postgres": {"certs", "postgres"},
        "certs-nats": {"certs", "nats"},
        "certs-outside": {"certs", "nginx", "acme", "postfix", "dovecot"},
    }


def test_prometheus_asks_who_is_there() -> None:
    watched = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text("utf-8"))
    told = re.findall(r"([a-z-]+):\d{4}\b|names: \[([a-z-]+)\]", yaml.safe_dump(watched))
    text = (ROOT / "infra/prometheus/prometheus.yml").read_text("utf-8")
    named = {name for pair in told for name in pair if name}
    named |= set(re.findall(r"names: \[([a-z-]+)\]", text))
    assert named <= set(CONTAINERS), named - set(CONTAINERS)


def test_what_containers_say_is_sent_to_where_it_is_kept_and_shown() -> None:
    shipper = yaml.safe_load((ROOT / "infra/log-shipper/fluent-bit.yaml").read_text("utf-8"))
    (tail,), (out,) = shipper["pipeline"]["inputs"], shipper["pipeline"]["outputs"]
    assert tail["parser"] in {parser["name"] for parser in shipper["parsers"]}
    assert tail["path"].startswith("/containers/")
    (only,) = shipper["pipeline"]["filters"]
    assert only["match"] == out["match"] == tail["tag"]
    # By the name that Docker writes beside each line, of this stack alone.
    assert only["regex"] == "$attrs['tag'] ^${STACK}-"
    assert "STACK" in CONTAINERS["log-shipper"]["environment"]
    assert {c["logging"]["options"]["tag"] for c in CONTAINERS.values()} == {"{{.Name}}"}
    loki = yaml.safe_load((ROOT / "infra/loki/loki.yml").read_text("utf-8"))
    assert (out["host"], out["port"]) == ("loki", loki["server"]["http_listen_port"])
    assert loki["compactor"]["retention_enabled"] is True
    sources = (ROOT / "infra/grafana/provisioning/datasources/postbus.yml").read_text("utf-8")
    urls = {source["name"]: source["url"] for source in yaml.safe_load(sources)["datasources"]}
    assert urls == {"Prometheus": "http://prometheus:9090", "Loki": "http://loki:3100"}
    written = {f"{mount.split(':')[1]}/" for mount in CONTAINERS["loki"]["volumes"][1:]}
    for place in (loki["common"]["path_prefix"], loki["storage_config"]["filesystem"]["directory"]):
        assert any(f"{place}/".startswith(there) for there in written), place
    state = {mount.partition(":")[2] for mount in CONTAINERS["log-shipper"]["volumes"]}
    assert "/state" in state
    assert tail["db"].startswith("/state/")


def test_only_the_door_and_the_mail_servers_are_published() -> None:
    published = {
        name: [port.rpartition(":")[2] for port in container["ports"]]
        for name, container in CONTAINERS.items()
        if "ports" in container
    }
    assert published == {
        "nginx": ["8080", "8443"],
        "postfix": ["25", "465", "587"],
        "dovecot": ["993", "995", "4190"],
        "grafana": ["3000"],
    }
    assert CONTAINERS["grafana"]["ports"][0].startswith("127.0.0.1:"), "for who is on the machine"


def test_only_what_calls_mail_servers_or_is_called_leaves_the_inner_network() -> None:
    assert STACK["networks"]["inside"]["internal"] is True
    leaving = {
        name: set(container["networks"]) - {"inside"}
        for name, container in CONTAINERS.items()
        if container.get("network_mode") != "none"
    }
    assert {name: networks for name, networks in leaving.items() if networks} == {
        "nginx": {"front"},
        "api": {"outside"},  # webhooks, images of mail, servers that are looked for
        "sync-listen": {"outside"},
        "sync-answer": {"outside"},  # to fetch what is opened
        "sender": {"outside"},
        "acme": {"outside"},
        "postfix": {"outside"},
        "dovecot": {"outside"},
        "opendkim": {"outside"},  # to ask for others' keys
        "alertmanager": {"outside"},  # to whom it tells
        "grafana": {"front"},
    }


def test_people_come_before_copies_and_backups_where_processors_are_short() -> None:
    usual = 1024  # Docker's own, of who says nothing
    shares = {name: container.get("cpu_shares", usual) for name, container in CONTAINERS.items()}
    less = {name for name, share in shares.items() if share < usual}
    assert less == {"sync-listen", "backup", "restore"}
    assert shares["backup"] < shares["sync-listen"]
    assert set(shares.values()) <= {256, 512, usual}


def test_the_gateway_believes_the_inner_network_for_whom_it_asks_and_no_other() -> None:
    (network,) = STACK["networks"]["inside"]["ipam"]["config"]
    assert CONTAINERS["api"]["environment"]["API_TRUSTED_PROXIES"] == network["subnet"]
    assert "inside" in CONTAINERS["nginx"]["networks"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_may_do_more_than_its_work(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "devices"} & set(container)
    mounts = [str(volume) for volume in container.get("volumes", [])]
    if name == "node-exporter":  # which tells how full the machine's disks are
        assert mounts == ["/:/host:ro,rslave"]
        mounts = []
    if name == "log-shipper":  # which reads what Docker keeps of what containers say
        mounts.remove("${DOCKER_CONTAINERS:-/var/lib/docker/containers}:/containers:ro")
    assert not any(mount.startswith("/") for mount in mounts)
    if name != "restore":  # which brings back .env and secrets/
        assert all(mount.endswith(":ro") for mount in mounts if mount.startswith("."))
    limits = container["deploy"]["resources"]
    assert {"memory", "pids"} <= set(limits["limits"])
    assert "memory" in limits["reservations"]
    if name in BEGINS_AS_ROOT:
        assert not {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"} & set(container["cap_add"])
        return
    assert "cap_add" not in container
    if "postbus-" in container["image"]:
        assert "user" not in container  # the image's own, below
        # Whatever a registry holds by this name, unless the operator has one.
        assert container["pull_policy"] == "${POSTBUS_PULL:-never}"
    else:
        assert container["user"] not in ("root", "0", "0:0")


@pytest.mark.parametrize("name", ["Dockerfile", "nginx.Dockerfile"])
def test_the_image_runs_as_nobody_special(name: str) -> None:
    dockerfile = (ROOT / "infra/images" / name).read_text("utf-8")
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", final, re.M) == ["10001:10001"]


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in STEPS])
def test_what_runs_says_whether_it_is_well(name: str) -> None:
    container = CONTAINERS[name]
    if service_of(container):
        assert "HEALTHCHECK" in (ROOT / "infra/images/Dockerfile").read_text("utf-8")
    elif name.endswith("-exporter"):
        assert container["networks"] == ["inside"]  # Prometheus says whether it answers
    elif name not in ("acme", "mail-admin", "mail-setup", "restore"):  # which nobody waits for
        assert container["healthcheck"]["test"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_a_linter_of_dockerfiles_finds_nothing(dockerfile: Path) -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, dockerfile], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("", "")


def understood(*files: str, profiles: tuple[str, ...] = ("*",)) -> dict[str, dict[str, Any]]:
    """The containers that Docker Compose reads out of these files."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], check=False).returncode:
        pytest.skip("there is no docker compose here")
    read = subprocess.run(
        [
            *(docker, "compose", *(f"--profile={name}" for name in profiles)),
            *(f"--file={name}" for name in files),
            *("config", "--format", "json"),
        ],
        cwd=ROOT,
        env=os.environ
        | {
            "DATABASE_SERVER": "db.example.org:5432/postbus?sslmode=verify-full",
            "DATABASE_CA_FILE": "./database-ca.crt",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")
    return json.loads(read.stdout)["services"]


@pytest.mark.parametrize("other", [(), ("compose.dev.yaml",), ("compose.managed.yaml",)])
def test_docker_compose_understands_every_word(other: tuple[str, ...]) -> None:
    assert set(CONTAINERS) <= set(understood("compose.yaml", *other))


def test_who_comes_to_a_database_elsewhere_reaches_it_and_none_of_ours_is_started() -> None:
    own = {"postgres", "database", "backup"}
    everywhere = ("mail", "acme", "monitoring")
    at_home = understood("compose.yaml", profiles=everywhere)
    elsewhere = understood("compose.yaml", "compose.managed.yaml", profiles=everywhere)
    assert set(at_home) - set(elsewhere) == own
    come = {
        name
        for name, container in at_home.items()
        if any("DATABASE" in v or v == "DATA_SOURCE_URI" for v in container.get("environment", {}))
    } - own
    assert come == {*RUNNING, "migrate", "postgres-exporter"}
    for name in come:
        container = elsewhere[name]
        assert set(container["networks"]) == {"inside", "outside"}, name
        assert "/database/ca.crt" in {mount["target"] for mount in container["volumes"]}, name
        assert not own & set(container.get("depends_on") or {})
        for variable, value in container["environment"].items():
            if variable.endswith("_URL") and "DATABASE" in variable:
                assert "@db.example.org:5432/postbus?" in value, (name, variable)


def test_the_file_for_a_database_elsewhere_names_all_who_come_to_one() -> None:
    """Where there is no Docker Compose to say so."""
    named = yaml.safe_load(re.sub(r"!(reset|override) ", "", MANAGED))["services"]
    come = {name for name, c in CONTAINERS.items() if "DATABASE" in str(c.get("environment"))}
    assert set(named) == come | {"postgres", "postgres-exporter"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_container_may_have_replicas_and_logs_stay_small(name: str) -> None:
    assert "container_name" not in CONTAINERS[name]
    assert {"max-size", "max-file"} <= set(CONTAINERS[name]["logging"]["options"])


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_starts_when_every_step_of_the_deploy_is_done(name: str) -> None:
    def done_before(container: str) -> set[str]:
        needs = CONTAINERS[container].get("depends_on", {})
        for need, how in needs.items():
            ended = need in STEPS
            assert how["condition"] == (
                "service_completed_successfully" if ended else "service_healthy"
            )
        return set(needs).union(*map(done_before, needs))

    assert done_before(name) == {*STEPS, "postgres", "nats"}
    assert "api" in CONTAINERS["nginx"]["depends_on"]
    assert RUNNING[name]["restart"] == "unless-stopped"


def test_all_that_the_image_copies_is_sent_to_the_builder_and_nothing_else() -> None:
    copied = {
        source
        for dockerfile in DOCKERFILES
        for line in re.findall(
            r"^COPY (?!--from)(.*)$",
            dockerfile.read_text("utf-8").replace("\\\n", " "),
            re.M,
        )
        for source in line.split()[:-1]
        if source != "infra/certs/on-change"  # of infra/certs
    }
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_every_setting_of_the_stack_is_explained_and_none_is_without_effect() -> None:
    explained = {
        line.lstrip("#").partition("=")[0]
        for line in (ROOT / "infra/stack.env").read_text("utf-8").splitlines()
        if re.match(r"#?[A-Z][A-Z0-9_]*=", line)
    }
    passed = {
        line
        for file in ROOT.glob("infra/*/settings.env")
        if file.parent.name != "images"
        for line in file.read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    }
    of_all = {"API_PUBLIC_URL", "LOG_LEVEL", "LOG_FORMAT", "COMPOSE_PROJECT_NAME"}
    assert explained == (interpolated(COMPOSE) | interpolated(MANAGED) | passed) - of_all
    assert (ROOT / "infra/stack.env").read_text("utf-8") in (ROOT / ".env.example").read_text()


def test_a_stack_to_try_releases_on_sets_what_there_is_and_sends_nothing() -> None:
    def settings(file: str) -> dict[str, str]:
        text = (ROOT / file).read_text("utf-8")
        return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.M))

    staging = settings(".env.staging.example")
    assert set(staging) <= set(settings(".env.example"))
    assert staging["SENDING_ENABLED"] == "false"
    assert staging["API_REGISTRATION"] == "invite"
    assert staging["NGINX_HSTS"] == ""
    assert not any("PASSWORD" in name or "SECRET" in name for name in staging)


def test_in_memory_is_nothing_that_must_last() -> None:
    places = {
        mount.partition(":")[0]
        for container in CONTAINERS.values()
        for mount in container.get("tmpfs", ())
    }
    assert places == {
        "/tmp",
        "/var/run/postgresql",  # a socket
        "/run/dovecot",
        "/var/lib/dovecot",  # what Dovecot counts of itself
        "/var/lib/postfix",  # locks and caches; the queue is a volume
    }
    kept = [
        mount
        for container in CONTAINERS.values()
        for mount in map(str, container.get("volumes", ()))
        if not mount.startswith((".", "/", "$"))
    ]
    assert {mount.partition(":")[0] for mount in kept} <= set(STACK["volumes"])
    assert set(STACK["volumes"].values()) == {None}, "on a disk, as Docker's own volumes are"


def test_nothing_that_is_for_development_is_taken_up_unasked() -> None:
    assert {file.name for file in ROOT.glob("compose*.yaml")} == {
        "compose.yaml",
        "compose.dev.yaml",
        "compose.managed.yaml",
    }
    assert not list(ROOT.glob("*override*"))


def make_secrets(directory: Path) -> dict[str, str]:
    command = [ROOT / "infra/scripts/secrets", directory, directory.parent / ".env"]
    subprocess.run(command, check=True, capture_output=True)
    return {file.name: file.read_text() for file in directory.iterdir()}


def test_secrets_makes_every_password_that_compose_asks_for(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    assert set(made) == set(STACK["secrets"])
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in made.values())


def test_nobody_else_gets_at_a_secret_and_a_container_that_is_given_one_reads_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "secrets").mkdir(mode=0o755)
    make_secrets(tmp_path / "secrets")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()}
    assert modes == {0o644}
    assert "secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_secrets_keeps_what_is_there_and_takes_over_what_was_in_env(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/nats_sync_password").write_text("mine")
    (tmp_path / "secrets/nats_api_password").write_text("")
    (tmp_path / ".env").write_text("LOG_LEVEL=DEBUG\nPOSTGRES_PASSWORD=earlier\n")
    made = make_secrets(tmp_path / "secrets")
    assert made["nats_sync_password"] == "mine"
    assert made["nats_api_password"] != ""
    assert made["postgres_password"] == "earlier"
    assert make_secrets(tmp_path / "secrets") == made


def make_keys(directory: Path) -> dict[Path, str]:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(
        [ROOT / "infra/images/make-keys", directory],
        cwd=ROOT,
        env={"PATH": path},
        check=True,
        capture_output=True,
    )
    return {
        file.relative_to(directory): file.read_text()
        for file in directory.rglob("*")
        if file.is_file()
    }


def test_keys_are_made_once_and_the_api_gets_private_ones_of_its_own_only(tmp_path: Path) -> None:
    for service in ("api", "sync", "sender"):
        (tmp_path / service).mkdir(mode=0o700)
    made = make_keys(tmp_path)
    assert make_keys(tmp_path) == made
    of_the_api = [file for file in made if file.parts[0] == "api"]
    (own,) = (file for file in of_the_api if file.suffix == ".private")
    assert own.parent == Path("api/own")
    assert Path("api/jwt.json") in of_the_api
    for service in ("sync", "sender"):
        sealing = SealingKeys.load(tmp_path / "api/seal" / service)
        assert sealing.key_ids == OpeningKeys.load(tmp_path / service).key_ids


@pytest.fixture
def answering() -> Iterator[tuple[int, list[int]]]:
    """A server on some port that answers with the status that the list holds."""
    status = [200]

    class Probes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Probes)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, status
    server.shutdown()
    thread.join()
    server.server_close()


def healthcheck(**environment: str) -> int:
    script = ROOT / "infra/images/healthcheck.py"
    return subprocess.run(
        [sys.executable, "-I", script], env=environment, check=False, capture_output=True
    ).returncode


def test_a_container_is_healthy_when_its_process_says_so(
    answering: tuple[int, list[int]],
) -> None:
    port, status = answering
    assert healthcheck(POSTBUS_SERVICE="api", API_PROBE_PORT=str(port)) == 0
    assert healthcheck(POSTBUS_SERVICE="sync", SYNC_PROBE_PORT=str(port)) == 0
    status[0] = 503
    assert healthcheck(POSTBUS_SERVICE="sync", SYNC_PROBE_PORT=str(port)) == 1
    assert healthcheck(POSTBUS_SERVICE="api", API_PROBE_PORT="1") == 1


def test_all_that_cannot_be_made_again_is_backed_up_and_comes_back() -> None:
    # What a set does not hold: what is made anew, is measured, is on its way, or is the backup.
    not_in_it = {
        *("nats-config", "nats-data", "mail-queue", "mail-sockets", "backups", "backup-state"),
        *("prometheus", "alertmanager", "grafana", "loki", "log-shipper", "acme", "acme-state"),
        *(volume for volume in STACK["volumes"] if volume.startswith("certs-")),
    }
    for name in ("backup", "restore"):
        seen = {str(mount).partition(":")[0] for mount in CONTAINERS[name]["volumes"]}
        lasting = set(STACK["volumes"]) - not_in_it - ({"postgres"} if name == "backup" else set())
        assert lasting <= seen, lasting - seen
    read_only = {m for m in CONTAINERS["backup"]["volumes"] if not str(m).endswith(":ro")}
    assert read_only == {"${POSTBUS_BACKUP_DIR:-backups}:/backups", "backup-state:/state"}
    assert CONTAINERS["backup"]["cap_add"] == ["DAC_OVERRIDE"]
    assert CONTAINERS["restore"]["network_mode"] == "none"
    # Of the clone, what an operator made and Git does not know; the last are passwords for alerts.
    kept = CONTAINERS["backup"]["environment"]["BACKUP_CONFIG_NAMES"].split()
    made = [
        line for line in (ROOT / ".gitignore").read_text().splitlines() if "postbus" not in line
    ]
    made = made[made.index(".env") :]
    others = {"!.env.example", "!.env.staging.example", ".env.*", "uv.lock", "secrets.before-*/"}
    assert all(any(f"{one}/".startswith(f"{name}/") for name in kept) for one in set(made) - others)
    hba = (ROOT / "infra/postgres/pg_hba.conf").read_text("utf-8")
    assert re.search(r"^hostssl\s+replication\s+postbus_backup\s+all\s+scram-sha-256$", hba, re.M)


def test_backups_are_told_what_they_read_and_all_that_they_need() -> None:
    settings = importlib.import_module("infra.backup.settings").Settings
    read = {f"BACKUP_{name}".upper() for name in settings.model_fields}
    told = {
        name.removesuffix("_FILE") if name.endswith("PASSWORD_FILE") else name
        for name in CONTAINERS["backup"]["environment"]
        if name.startswith("BACKUP_")
    }
    passed = {
        line
        for line in (ROOT / "infra/backup/settings.env").read_text("utf-8").splitlines()
        if line.startswith("BACKUP_")
    }
    assert told | passed <= read
    assert read - told - passed == {"BACKUP_AGAIN_SECONDS", "BACKUP_LOG_LEVEL", "BACKUP_LOG_FORMAT"}


async def test_the_databases_administrator_is_no_superuser_and_takes_a_new_password(
    platform: Platform,
) -> None:
    superuser_url = platform.postgres.url
    server = superuser_url.partition("@")[2].partition("/")[0]
    try:
        for password in ("first", "it's-second"):
            admin_url = f"postgresql://compose_admin:{password}@{server}/compose_test"
            await own_database(superuser_url, admin_url)
            admin = await asyncpg.connect(admin_url)
            role = await admin.fetchrow(
                "SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles"
                " WHERE rolname = current_user"
            )
            await admin.execute(f"CREATE SCHEMA s{len(password)}")
            await admin.close()
            assert role is not None
            assert tuple(role) == (False, True, False)
    finally:
        superuser = await asyncpg.connect(superuser_url)
        await superuser.execute("DROP DATABASE IF EXISTS compose_test")
        await superuser.execute("DROP ROLE IF EXISTS compose_admin")
        await superuser.close()


def test_statements_are_counted_and_those_that_set_passwords_are_not() -> None:
    told = set(CONTAINERS["postgres"]["command"])
    assert "-cshared_preload_libraries=pg_stat_statements" in told
    assert "-cpg_stat_statements.track_utility=off" in told
    assert CONTAINERS["postgres-exporter"]["command"] == ["--collector.stat_statements"]


async def test_who_watches_the_database_reads_what_it_counts_and_no_table(
    platform: Platform,
) -> None:
    superuser_url = platform.postgres.url
    server = superuser_url.partition("@")[2].partition("/")[0]
    admin_url = f"postgresql://watched_admin:x@{server}/watched_test"
    monitor_url = f"postgresql://watching:y@{server}/watched_test"
    try:
        await own_database(superuser_url, admin_url, monitor_url=monitor_url)
        admin = await asyncpg.connect(admin_url)
        await admin.execute("CREATE TABLE public_secret (word text)")
        await admin.close()
        monitor = await asyncpg.connect(monitor_url)
        assert await monitor.fetchval("SELECT count(*) FROM pg_stat_activity WHERE state <> ''")
        assert await monitor.fetchval("SELECT pg_database_size(current_database())")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await monitor.fetch("SELECT * FROM public_secret")
        await monitor.close()
    finally:
        superuser = await asyncpg.connect(superuser_url)
        await superuser.execute("DROP DATABASE IF EXISTS watched_test")
        await superuser.execute("DROP ROLE IF EXISTS watched_admin")
        await superuser.execute("DROP ROLE IF EXISTS watching")
        await superuser.close()
