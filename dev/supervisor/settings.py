"""Reads the settings of `./run` from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dev.errors import StartError
from dev.machine_size import MachineSize
from ingest.queue import redis_url
from store.postgres import connections

MAX_DEFAULT_WORKERS = 4
"""More gain little on one machine, because PostgreSQL needs the other cores."""


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """The settings of `./run` itself. All other variables are passed to the processes unchanged."""

    data_dir: Path
    host: str
    ingest_port: int
    api_port: int
    worker_port: int | None
    """The port of the first worker; the next workers use the following ports. None for any free ports."""
    worker_count: int
    gateway_port: int
    database_url: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    webhook_secrets: str | None = field(repr=False)
    api_token: str | None = field(repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings. An empty variable counts as unset.

        Raises StartError or SettingsError naming the variable.
        """
        for read in (
            (connections.url, connections.direct_url, connections.replica_url) if environ.get("DATABASE_URL") else ()
        ):
            read(environ)
        if environ.get("REDIS_URL"):
            redis_url.parse(environ["REDIS_URL"])
        return cls(
            data_dir=Path(environ.get("DATA_DIR") or "var").absolute(),
            host=environ.get("HOST") or "127.0.0.1",
            ingest_port=_integer("INGEST_PORT", environ.get("INGEST_PORT") or "3000", 0, 65535),
            api_port=_integer("API_PORT", environ.get("API_PORT") or "3001", 0, 65535),
            worker_port=_integer("WORKER_PORT", environ["WORKER_PORT"], 1, 65535)
            if environ.get("WORKER_PORT")
            else None,
            worker_count=_integer("WORKERS", environ.get("WORKERS") or str(default_worker_count()), 1, 64),
            gateway_port=_integer("GATEWAY_PORT", environ.get("GATEWAY_PORT") or "3002", 0, 65535),
            database_url=environ.get("DATABASE_URL") or None,
            redis_url=environ.get("REDIS_URL") or None,
            webhook_secrets=environ.get("WEBHOOK_SECRETS") or None,
            api_token=environ.get("API_TOKEN") or None,
        )


def default_worker_count() -> int:
    """Return the number of workers that `./run` starts unless WORKERS is set: one per core, within a limit."""
    return min(MachineSize.read().cores, MAX_DEFAULT_WORKERS)


def _integer(name: str, text: str, minimum: int, maximum: int) -> int:
    if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
        raise StartError(f"{name} must be a number from {minimum} to {maximum}, and is {text!r}.")
    return int(text)
