"""Tests a real Prometheus with running processes: the dashboard's queries have results, and no alert fires."""

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dev.chaos.event_generator import EventGenerator
from dev.embedded import child_process
from dev.embedded.child_process import wait_until
from dev.supervisor import listeners
from tests.support import requirements
from tests.support.processes.observed_system import UNKNOWN_EVENT, ObservedSystem
from tests.support.project.alert_rules import ALERTS, dashboard_expressions

RARE = {
    "sak_ingest_refused_requests_total",
    "sak_ingest_unconfirmed_batches_total",
    "sak_worker_retries_total",
    "sak_worker_parked_events_total",
}
"""Queries without a value before the first event, and without a rate before the second."""


class Prometheus:
    def __init__(self, folder: Path, watched: ObservedSystem) -> None:
        shutil.copy(ALERTS, folder / "alerts.yml")
        targets = [url.removeprefix("http://") for url in watched.urls.values()]
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": "sak", "static_configs": [{"targets": targets}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is valid YAML
        with listeners.open_listener("127.0.0.1", 0, "the test's Prometheus") as free:
            self._at = f"127.0.0.1:{listeners.port_of(free)}"
        command = [str(requirements.PROMETHEUS), f"--config.file={folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={self._at}"]
        self._log = (folder / "log").open("wb")
        self._process = child_process.start(command, self._log, environment={})

    def ask(self, query: str) -> list[Any]:
        """Return the result of an instant query.

        Raises OSError if the server does not respond, HTTPError for an invalid query.
        """
        url = f"http://{self._at}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return cast("list[Any]", json.load(answer)["data"]["result"])

    def is_watching(self, targets: int) -> bool:
        try:
            return len(self.ask("up == 1")) == targets
        except OSError:
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture
def prometheus(tmp_path: Path, observed_system: ObservedSystem) -> Iterator[Prometheus]:
    requirements.require("prometheus")
    server = Prometheus(tmp_path, observed_system)
    yield server
    server.close()


@pytest.mark.long
def test_the_dashboards_queries_have_results(prometheus: Prometheus, observed_system: ObservedSystem) -> None:
    """An empty panel looks as if there were no problems."""
    assert wait_until(lambda: prometheus.is_watching(3), 60)
    story = EventGenerator(91)

    def unanswered() -> list[str]:
        for body in (*story.take(3), UNKNOWN_EVENT):
            observed_system.post_webhook(body)
        observed_system.get("api", "/api/chats")
        asked = [text.replace("$__rate_interval", "20s") for text in dashboard_expressions()]
        return [text for text in asked if not prometheus.ask(text) and not any(name in text for name in RARE)]

    wait_until(lambda: not unanswered(), 60)

    assert unanswered() == []
    for _ in range(20):
        observed_system.post_webhook(UNKNOWN_EVENT)
    # The tests' own Redis does not wait for its disk, which becomes an alert only after five minutes.
    assert wait_until(lambda: firing(prometheus) == {"SakParkedGrowing"}, 60), firing(prometheus)


def firing(prometheus: Prometheus) -> set[str]:
    return {one["metric"]["alertname"] for one in prometheus.ask('ALERTS{alertstate="firing"}')}
