"""Alerts sound when they must, and lead somebody to what is to be done."""

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra" / "prometheus"
RULES = ("alerts.yml", "recording.yml")
# What the exporters of compose.yaml tell, and Prometheus itself.
OF_OTHERS = re.compile(r"^(up|ALERTS|node_\w+|pg_\w+|probe_\w+)$")
POSTFIX = {  # infra/postfix_queue.py, which has a registry of its own
    "postbus_postfix_up",
    *(f"postbus_postfix_queue_{what}" for what in ("messages", "bytes", "oldest_seconds")),
}
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SPOKEN = re.compile(
    r"^(sum|max|min|avg|by|on|and|or|unless|ignoring|without|rate|increase|absent|time|bool|le"
    r"|vector|predict_linear|histogram_quantile)$"
)


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules" / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics_in(expr: str) -> set[str]:
    """The names of series in an expression."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", "", bare)
    return {name for name in _NAME.findall(bare) if not _SPOKEN.match(name)}


def ours() -> set[str]:
    """Every series that a process of ours shows."""
    for module in (
        *(f"services.{service}.metrics" for service in ("api", "sync", "sender", "indexer")),
        *("shared.bus.metrics", "shared.db.metrics", "shared.telemetry.process"),
        "infra.backup.metrics",
    ):
        import_module(module)
    names: set[str] = set(POSTFIX)
    for family in REGISTRY.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
    return names


def promtool(*arguments: str, cwd: Path) -> None:
    asked("promtool", "prometheus", *arguments, cwd=cwd)


def asked(tool: str, package: str, *arguments: str, cwd: Path) -> None:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed (Debian's package {package})")
    done = subprocess.run([found, *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_sounds_where_it_must_and_is_silent_where_not() -> None:
    promtool("test", "rules", "alerts.yml", cwd=PROMETHEUS / "tests")


def test_prometheus_takes_its_configuration() -> None:
    promtool("check", "rules", *RULES, cwd=PROMETHEUS / "rules")
    promtool("check", "config", "--syntax-only", "prometheus.yml", cwd=PROMETHEUS)


def test_alertmanager_takes_its_configuration_and_what_is_said_to_be_added(tmp_path: Path) -> None:
    as_it_comes = (ROOT / "infra/alertmanager/alertmanager.yml").read_text()
    guide = (ROOT / "docs/operations.md").read_text()
    added = yaml.safe_load(
        guide.partition("### Who is told")[2].split("```yaml\n")[1].split("```")[0]
    )
    own = yaml.safe_load(as_it_comes)
    own["receivers"] += added["receivers"]
    own["route"]["receiver"] = added["receivers"][0]["name"]
    (tmp_path / "own.yml").write_text(yaml.safe_dump(own))
    (tmp_path / "alertmanager.yml").write_text(as_it_comes)
    asked("amtool", "prometheus-alertmanager", "check-config", "own.yml", cwd=tmp_path)
    asked("amtool", "prometheus-alertmanager", "check-config", "alertmanager.yml", cwd=tmp_path)


def test_every_alert_is_tried() -> None:
    tried = (PROMETHEUS / "tests" / "alerts.yml").read_text()
    for rule in rules("alerts.yml"):
        assert f"name: {rule['alert']} sounds" in tried


def test_every_alert_leads_to_its_chapter() -> None:
    chapters = re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", chapter).lower().replace(" ", "-") for chapter in chapters}
    for rule in rules("alerts.yml"):
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert path == "docs/operations.md"
        assert anchor in anchors, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")


@pytest.mark.parametrize("name", RULES)
def test_rules_speak_of_what_is_measured(name: str) -> None:
    recorded = {rule["record"] for rule in rules("recording.yml")}
    known = ours() | recorded
    for rule in rules(name):
        for metric in metrics_in(rule["expr"]):
            assert metric in known or OF_OTHERS.match(metric), f"{metric} in {rule}"


def test_nobody_is_told_of_what_follows_from_something_worse() -> None:
    said = yaml.safe_load((ROOT / "infra/alertmanager/alertmanager.yml").read_text())
    alerts = {rule["alert"] for rule in rules("alerts.yml")}
    receivers = {receiver["name"] for receiver in said["receivers"]}
    assert said["route"]["receiver"] in receivers
    for rule in said["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            named = set(matcher.partition("=")[2].strip('~"').split("|"))
            assert named <= alerts
