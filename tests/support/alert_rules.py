"""The alert rules, the Grafana dashboard, and the tool that checks them."""

import json
from typing import Any, cast

from dev.checkout import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"


def dashboard_expressions() -> list[str]:
    """The queries of the dashboard."""
    document = cast("dict[str, Any]", json.loads(DASHBOARD.read_text()))
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]]
