"""Tests the checks of Redis' durability that ingest's readiness and the worker's doctor share."""

import pytest

from ingest.queue import redis_rules

DURABLE = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}


@pytest.mark.parametrize(
    ("changed", "severities"),
    [
        ({}, ("ok", "ok")),
        ({"maxmemory-policy": "allkeys-lru"}, ("broken", "ok")),
        ({"appendonly": "no"}, ("ok", "broken")),
        ({"appendfsync": "everysec"}, ("ok", "warning")),
        ({"appendfsync": "no"}, ("ok", "broken")),
        ({"maxmemory-policy": None}, ("warning", "ok")),
        ({"appendonly": None}, ("ok", "warning")),
    ],
)
def test_a_setting_has_its_severity_and_a_remedy(changed: dict[str, str | None], severities: tuple[str, str]) -> None:
    findings = redis_rules.check_durability({**DURABLE, **changed})

    assert tuple(finding.severity for finding in findings) == severities
    assert all((finding.remedy is None) == (finding.severity == "ok") for finding in findings)
