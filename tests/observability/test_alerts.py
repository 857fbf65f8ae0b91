"""Tests alerts and dashboard: promtool accepts them, their metrics exist, and each alert has instructions."""

import json
import re
import subprocess
from pathlib import Path

from dev.checkout import ROOT
from dev.embedded.child_process import wait_until
from tests.support import requirements
from tests.support.processes.observed_system import UNKNOWN_EVENT, ObservedSystem
from tests.support.project.alert_rules import ALERTS, dashboard_expressions

CASES = [ROOT / "tests" / "observability" / name for name in ("alerts.yml", "alerts_week.yml")]
RUNBOOK = ROOT / "docs" / "runbook.md"
METRIC = re.compile(r"\bsak_[a-z_]+\b")


def promtool(*arguments: str) -> None:
    requirements.require("prometheus")
    done = subprocess.run([requirements.PROMTOOL, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def alerts() -> dict[str, str]:
    """Return the name and the whole text of each alert."""
    _, *parts = re.split(r"^      - alert: ", ALERTS.read_text(), flags=re.MULTILINE)
    return {part.split("\n", 1)[0]: part for part in parts}


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", str(ALERTS))


def test_prometheus_accepts_the_configuration() -> None:
    """It is the first file that users copy."""
    promtool("check", "config", str(ALERTS.parent / "prometheus.yml"))


def test_each_alert_fires_on_its_cause_only() -> None:
    """An alert that cannot fire is worse than none, because people rely on it."""
    promtool("test", "rules", *map(str, CASES))
    cases = "".join(path.read_text() for path in CASES)

    untried = [name for name in alerts() if not re.search(rf"alertname: {name}\n *exp_alerts", cases)]
    assert untried == []


def test_each_alert_has_a_cure_in_the_runbook_and_each_cure_an_alert() -> None:
    """An operator who is alerted at night must find instructions."""
    headings = set(re.findall(r"^## (Sak\w+)$", RUNBOOK.read_text(), re.MULTILINE))

    assert headings == set(alerts())
    assert [n for n, text in alerts().items() if f"runbook: docs/runbook.md#{n.lower()}\n" not in text] == []
    for part in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE):
        if part.startswith("Sak"):
            assert ["**Meaning.**" in part, "**Check.**" in part, "**Cure.**" in part] == [True] * 3, part[:40]


def test_every_queried_metric_is_exported_by_a_running_process(observed_system: ObservedSystem) -> None:
    """A dashboard of metrics that do not exist is empty, and looks as if there were no problems."""
    observed_system.post_webhook(UNKNOWN_EVENT)
    observed_system.get("api", "/api/chats")
    asked = {name for text in (*dashboard_expressions(), *alerts().values()) for name in METRIC.findall(text)}
    wait_until(lambda: asked <= observed_system.metric_names(), 30)

    assert len(asked) > 20
    assert asked - observed_system.metric_names() == set()


def test_the_runbook_lists_every_metric_of_ours(observed_system: ObservedSystem) -> None:
    """An undocumented metric is not monitored."""
    listed = {name.split("{")[0] for name in re.findall(r"`(sak_[a-z_]+(?:\{[a-z,]+\})?)`", RUNBOOK.read_text())}
    told = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for name in observed_system.metric_names()
        if not name.endswith("_created")
    }

    assert told - listed == set()


def test_prometheus_parses_the_dashboards_queries(tmp_path: Path) -> None:
    """promtool accepts only rules, so each query becomes one."""
    lines = ["groups:", "  - name: dashboard", "    rules:"]
    for number, expression in enumerate(dashboard_expressions()):
        asked = expression.replace("$__rate_interval", "5m")
        lines += [f"      - record: dashboard:{number}", f"        expr: {json.dumps(asked)}"]
    (tmp_path / "dashboard.yml").write_text("\n".join(lines) + "\n")
    promtool("check", "rules", str(tmp_path / "dashboard.yml"))
