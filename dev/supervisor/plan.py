"""Decides which programs run, and the environment of each."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.gateway.account import GatewayAccount
from dev.supervisor import listeners, secret_files
from dev.supervisor.process import ProcessSpec
from dev.supervisor.settings import SupervisorSettings
from environment import secret_list

WEBHOOK_PATH = "/whatsapp-webhook"
OVERRIDDEN_VARIABLES = {"PORT", "LISTEN_FD"}
"""Variables that would move a process to another port."""


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """The URLs of the running system."""

    ingest: str
    api: str
    gateway: str
    database: str = field(repr=False)
    redis: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    ingest: ProcessSpec
    workers: tuple[ProcessSpec, ...]
    api: ProcessSpec
    demo: ProcessSpec | None
    webhook_url: str
    api_url: str
    dashboard_url: str = field(repr=False)

    @property
    def programs(self) -> tuple[ProcessSpec, ...]:
        """The programs that must be ready before the demo starts."""
        return (self.ingest, *self.workers, self.api)


def build(  # noqa: PLR0913 - all that is known by then
    settings: SupervisorSettings,
    environ: Mapping[str, str],
    urls: ServiceUrls,
    ingest_listener: socket.socket,
    api_listener: socket.socket,
    *,
    demo: bool,
) -> ProcessPlan:
    secrets = settings.webhook_secrets or secret_files.read_or_create(settings.data_dir / "webhook-secret")
    token = settings.api_token or secret_files.read_or_create(settings.data_dir / "api-token")
    # People read these lines, although the processes do not write to a terminal.
    shared = (
        {"LOG_FORMAT": "text"}
        | {name: value for name, value in environ.items() if name not in OVERRIDDEN_VARIABLES}
        | {
            "DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": urls.database,
            "REDIS_URL": urls.redis,
            "HOST": settings.host,
            "INGEST_PORT": str(listeners.port_of(ingest_listener)),
            "API_PORT": str(listeners.port_of(api_listener)),
            "WEBHOOK_SECRETS": secrets,
            "API_TOKEN": token,
            "PYTHONUNBUFFERED": "1",
        }
    )
    if not settings.database_url:
        shared |= {"DIRECT_DATABASE_URL": "", "READ_DATABASE_URL": ""}  # if set, they would name another database
    if demo and not environ.get("SAK_BASE_URL"):
        shared |= GatewayAccount().to_environ(f"{urls.gateway}/api/v1")
    if demo and not environ.get("SENDER_NAME"):
        shared |= _second_sender(settings)
    ingest_url = {"INGEST_URL": urls.ingest + WEBHOOK_PATH}
    demo_addresses = {**ingest_url, "GATEWAY_PORT": urls.gateway.rpartition(":")[2]}
    test_events = {**ingest_url, "TEST_EVENT_SECRET": secret_list.split(secrets)[0]}
    return ProcessPlan(
        ingest=_server_program("ingest", shared, ingest_listener, urls.ingest),
        workers=tuple(_worker_program(number, settings, shared) for number in range(1, settings.worker_count + 1)),
        api=_server_program("api", shared | test_events, api_listener, urls.api),
        demo=ProcessSpec("demo", "dev.demo", shared | demo_addresses) if demo else None,
        webhook_url=urls.ingest + WEBHOOK_PATH,
        api_url=urls.api,
        dashboard_url=f"{urls.api}/#token={token}",
    )


def _second_sender(settings: SupervisorSettings) -> dict[str, str]:
    """Return the variables for the demo's second gateway, which has the number of the first."""
    return {
        "SENDER_NAME": "second",
        "SENDER_KIND": "waha",
        "SENDER_SECRETS": secret_files.read_or_create(settings.data_dir / "second-sender-secret"),
        "SENDER_ACCOUNT": GatewayAccount().phone,
    }


def _server_program(name: str, shared: Mapping[str, str], listener: socket.socket, url: str) -> ProcessSpec:
    number = listener.fileno()
    return ProcessSpec(name, name, {**shared, "LISTEN_FD": str(number)}, f"{url}/readyz", (number,))


def _worker_program(number: int, settings: SupervisorSettings, shared: Mapping[str, str]) -> ProcessSpec:
    """Return the program of a worker. Its port only serves its status, so any free one is used unless configured."""
    requested_port = settings.worker_port + number - 1 if settings.worker_port else 0
    port = listeners.free_port(settings.host, requested_port, "WORKER_PORT")
    name = "worker" if settings.worker_count == 1 else f"worker-{number}"
    url = f"{listeners.browser_url(settings.host, port)}/readyz"
    return ProcessSpec(name, "worker", {**shared, "WORKER_PORT": str(port)}, url)
