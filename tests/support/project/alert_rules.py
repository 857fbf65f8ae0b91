"""Reads the alert rules and the queries of the Grafana dashboard, and runs promtool on them."""

import json
from typing import Any, cast

from dev.checkout import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"


def dashboard_expressions() -> list[str]:
    """Return the queries of the dashboard."""
    document = cast("dict[str, Any]", json.loads(DASHBOARD.read_text()))
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]]
