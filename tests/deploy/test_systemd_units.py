"""Tests the units under a real systemd, in its own namespaces: the sandbox must permit what the processes do."""

import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from tests.support.processes.deployed_system import API_TOKEN, PHONE, free_ports, message_texts, responds
from tests.support.processes.running_system import WEBHOOK_SECRET, message_webhook, signed_headers
from tests.support.project import documentation
from tests.support.servers.systemd_machine import SystemdMachine
from tests.support.waiting import wait_until

TEST = "tests/deploy/test_systemd_units.py"
UNITS = {"ingest": "sak-ingest.service", "worker": "sak-worker@1.service", "api": "sak-api.service"}

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.requires("systemd"),
]


@pytest.fixture
def ports() -> dict[str, int]:
    return free_ports()


@dataclass(frozen=True)
class Site:
    machine: SystemdMachine
    files: dict[str, str]
    """The contents of the three files in /etc/sak-history."""


@pytest.fixture
def site(server_folder: Path, ports: dict[str, int]) -> Iterator[Site]:
    """Return a machine, and servers outside it, behind sockets that any user may open."""
    postgres = EmbeddedPostgres(
        server_folder / "postgres", ephemeral=True, settings={"unix_socket_permissions": "0777"}
    )
    valkey = EmbeddedValkey(server_folder / "valkey", settings={"unixsocketperm": "777"})
    with postgres, valkey:
        socket = Path(valkey.url.removeprefix("unix://").partition("?")[0])
        for place in (postgres.socket_folder, socket.parent):
            place.chmod(0o755)
        database = "DATABASE_URL=postgresql://app@/history?host=/servers/postgres\n"
        redis = f"REDIS_URL=unix:///servers/valkey/{socket.name}\n"
        # This machine's Python is not at the path where it was built, and may look for a library of its own.
        moved = f"LD_LIBRARY_PATH={sys.base_prefix}/lib:/usr/local/lib\n"
        files = {
            "ingest": f"{redis}WEBHOOK_SECRETS={WEBHOOK_SECRET}\nINGEST_PORT={ports['ingest']}\n{moved}",
            "worker": f"{database}{redis}WORKER_PORT={ports['worker']}\n{moved}",
            "api": f"{database}API_TOKEN={API_TOKEN}\nAPI_PORT={ports['api']}\n{moved}",
        }
        volumes = {"/servers/postgres": str(postgres.socket_folder), "/servers/valkey": str(socket.parent)}
        machine = SystemdMachine(server_folder, volumes)
        try:
            machine.start()
            yield Site(machine, files)
        finally:
            machine.stop()


def test_the_units_are_a_whole_system(site: Site, ports: dict[str, int]) -> None:
    """The units are installed, migrated, started, killed, restarted and stopped with the commands of the page."""
    machine = site.machine
    install, begin = (
        block.lines for block in documentation.command_blocks("docs/deploy.md") if block.tested_by == TEST
    )
    code, said = machine.run("/bin/sh", "-euc", install)
    assert code == 0, said
    for name, text in site.files.items():
        machine.run("/bin/sh", "-euc", f"cat >/etc/sak-history/{name}.env <<'END'\n{text}END")
        assert machine.run("stat", "--format=%a", f"/etc/sak-history/{name}.env")[1] == "600"
    code, said = machine.run("/bin/sh", "-euc", begin)
    assert code == 0, said + machine.run("journalctl", "-u", "sak-*")[1]
    for port in ports.values():
        for path in ("/healthz", "/readyz", "/metrics"):
            wait_until(lambda url=f"http://127.0.0.1:{port}{path}": responds(url), 60)
    body = message_webhook(PHONE, 1, "through systemd")
    webhook = f"http://127.0.0.1:{ports['ingest']}/whatsapp-webhook"
    assert requests.post(webhook, data=body, headers=signed_headers(body), timeout=20).ok
    wait_until(lambda: message_texts(ports["api"]) == ["through systemd"])
    spool = requests.get(f"http://127.0.0.1:{ports['ingest']}/readyz", timeout=20).json()["spool"]
    users = {name: user(machine, unit) for name, unit in UNITS.items()}

    first = main_pid(machine, UNITS["ingest"])
    machine.run("systemctl", "kill", "--signal", str(int(signal.SIGKILL)), UNITS["ingest"])
    wait_until(lambda: main_pid(machine, UNITS["ingest"]) not in {"0", first})
    wait_until(lambda: responds(f"http://127.0.0.1:{ports['ingest']}/readyz"))
    machine.run("systemctl", "stop", "sak-history.target")
    wait_until(lambda: [machine.run("systemctl", "is-active", unit)[1] for unit in UNITS.values()] == ["inactive"] * 3)

    assert spool["usable"] is True
    assert len(set(users.values())) == 3
    assert "0" not in users.values()
    assert not any(responds(f"http://127.0.0.1:{port}/healthz") for port in ports.values())


def main_pid(machine: SystemdMachine, unit: str) -> str:
    return machine.run("systemctl", "show", "--property=MainPID", "--value", unit)[1]


def user(machine: SystemdMachine, unit: str) -> str:
    """Return the id of the user that runs a unit's process."""
    return machine.run("stat", "--format=%u", f"/proc/{main_pid(machine, unit)}")[1]
