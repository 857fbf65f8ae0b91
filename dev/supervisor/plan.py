"""Which programs run, and what each of them finds in its environment."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.gateway.account import Account
from dev.supervisor import listeners, secret_files
from dev.supervisor.process import Program
from dev.supervisor.settings import Settings

WEBHOOK = "/whatsapp-webhook"
OURS_ALONE = {"PORT", "LISTEN_FD"}
"""They would send a process to another port than the one that it is given."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is found while it runs."""

    ingest: str
    api: str
    gateway: str
    database: str = field(repr=False)
    redis: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    ingest: Program
    workers: tuple[Program, ...]
    api: Program
    demo: Program | None
    webhook: str
    api_url: str
    dashboard: str = field(repr=False)

    @property
    def programs(self) -> tuple[Program, ...]:
        """What has to answer before anything is ready; the demo only comes then."""
        return (self.ingest, *self.workers, self.api)


def make(  # noqa: PLR0913 - all that is known by then
    settings: Settings,
    environ: Mapping[str, str],
    addresses: Addresses,
    ingest: socket.socket,
    api: socket.socket,
    *,
    demo: bool,
) -> Plan:
    secrets = settings.webhook_secrets or secret_files.kept(settings.data_dir / "webhook-secret")
    token = settings.api_token or secret_files.kept(settings.data_dir / "api-token")
    # Their lines are read here, by a person, although what they write to is no terminal.
    shared = (
        {"LOG_FORMAT": "text"}
        | {name: value for name, value in environ.items() if name not in OURS_ALONE}
        | {
            "DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": addresses.database,
            "REDIS_URL": addresses.redis,
            "HOST": settings.host,
            "INGEST_PORT": str(listeners.port_of(ingest)),
            "API_PORT": str(listeners.port_of(api)),
            "WEBHOOK_SECRETS": secrets,
            "API_TOKEN": token,
            "PYTHONUNBUFFERED": "1",
        }
    )
    if not settings.database_url:
        shared |= {"DIRECT_DATABASE_URL": "", "READ_DATABASE_URL": ""}  # they would name another database than ours
    if demo and not environ.get("SAK_BASE_URL"):
        shared |= Account().environ(f"{addresses.gateway}/api/v1")
    talk = {"INGEST_URL": addresses.ingest + WEBHOOK, "GATEWAY_PORT": addresses.gateway.rpartition(":")[2]}
    return Plan(
        ingest=_served("ingest", shared, ingest, addresses.ingest),
        workers=tuple(_worker(number, settings, shared) for number in range(1, settings.workers + 1)),
        api=_served("api", shared, api, addresses.api),
        demo=Program("demo", "dev.demo.demo", shared | talk) if demo else None,
        webhook=addresses.ingest + WEBHOOK,
        api_url=addresses.api,
        dashboard=f"{addresses.api}/#token={token}",
    )


def _served(name: str, shared: Mapping[str, str], listener: socket.socket, url: str) -> Program:
    number = listener.fileno()
    return Program(name, name, {**shared, "LISTEN_FD": str(number)}, f"{url}/readyz", (number,))


def _worker(number: int, settings: Settings, shared: Mapping[str, str]) -> Program:
    """A worker's port only tells how it does, so any free one is good enough unless one was asked for."""
    asked = settings.worker_port + number - 1 if settings.worker_port else 0
    port = listeners.free_port(settings.host, asked, "WORKER_PORT")
    name = "worker" if settings.workers == 1 else f"worker-{number}"
    url = f"{listeners.as_url(settings.host, port)}/readyz"
    return Program(name, "worker", {**shared, "WORKER_PORT": str(port)}, url)
