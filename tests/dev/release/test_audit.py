import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dev.checkout import ROOT
from dev.release import audit
from tests.support.servers.server_thread import serving


class Database(HTTPServer):
    """A replacement for OSV that knows one vulnerability of one package."""

    asked: list[dict[str, Any]]
    against: str | None = None


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Database)
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked = queries
        results = [
            {"vulns": [{"id": "MADE-UP-1"}]} if query["package"]["name"] == self.server.against else {}
            for query in queries
        ]
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Log nothing."""


@pytest.fixture
def database() -> Iterator[Database]:
    server = Database(("127.0.0.1", 0), Answers)
    with serving(server):
        yield server


def test_every_locked_version_is_asked_about(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """A version that is not in the request is not audited. The lock files define the list."""
    assert audit.main(["--database", f"http://127.0.0.1:{database.server_port}/"]) == audit.CLEAN

    asked = {query["package"]["name"]: query["version"] for query in database.asked}
    assert asked["rq"] == "3.0.0"
    assert asked.keys() >= audit.locked_versions(ROOT / "requirements.lock").keys()
    assert f"{len(asked)} packages audited, 0 with" in capsys.readouterr().out


def test_a_known_vulnerability_fails_the_build(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """A maintainer needs the id to look it up."""
    database.against = "redis"

    assert audit.main(["--database", f"http://127.0.0.1:{database.server_port}/"]) == audit.VULNERABLE
    assert "MADE-UP-1" in capsys.readouterr().out


def test_without_the_database_the_build_goes_on_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A build without a network must succeed, and must not look audited."""
    assert audit.main(["--database", "http://127.0.0.1:1/"]) == audit.CLEAN
    assert "NOT AUDITED" in capsys.readouterr().out
