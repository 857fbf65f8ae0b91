"""The alert rules, the Grafana dashboard, and the tool that checks them."""

import json
from pathlib import Path
from typing import Any, cast

from dev.checkout import ROOT

PROMTOOL = Path("/usr/bin/promtool")
MISSING_MESSAGE = f"{PROMTOOL} is not there; on Debian: apt install prometheus (.ci/promtool does it for CI)"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"


def dashboard_expressions() -> list[str]:
    """The queries of the dashboard."""
    document = cast("dict[str, Any]", json.loads(DASHBOARD.read_text()))
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]]
