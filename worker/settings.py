"""Reads the worker's settings from the environment once at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from environment import senders_file, variables
from store.erasure.key_store import SuppressionKeyStore
from store.postgres import connections
from telemetry.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    direct_url: str = field(repr=False)
    """The URL of the same database without a pooler."""
    redis_url: str = field(repr=False)
    port: int | None
    """The port of /healthz, /readyz and /metrics, or None if they are not served."""
    host: str
    own_phone: str | None
    """The phone number of sessions that never reported theirs."""
    accounts: Mapping[str, str]
    """The configured phone number of each sender that has one, by the sender's name."""
    max_jobs: int
    """The number of jobs after which the process exits, so that its supervisor restarts it; 0 for never."""
    nice: int
    """The nice value of the process, from 0 to 19: how far it yields the processor to others."""
    feed_days: int
    """The number of days for which changes stay in the feed. A reader that was away for longer reloads everything."""
    keep_seconds: int
    """The time in seconds for which stored batches stay in the stream, in case PostgreSQL loses its last commits."""
    keep_bytes: int | None
    """The memory in bytes that these batches may use in Redis, or None for a share of its memory."""
    suppression_key_store: SuppressionKeyStore
    """The place of the suppression key."""
    failpoints: str | None
    """The failpoints at which the process dies, for tests (ingest/queue/failpoints.py)."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings. Raises SettingsError naming the variable."""
        for name in ("DATABASE_URL", "REDIS_URL"):
            if not environ.get(name):
                raise SettingsError(
                    f"{name} is not set: the worker moves events from Redis to PostgreSQL. Set it, or start ./run."
                )
        database_url, direct_url = connections.url(environ), connections.direct_url(environ)
        port = environ.get("WORKER_PORT") or None
        if port is not None and not (port.isdecimal() and int(port) <= 65535):
            raise SettingsError(f"WORKER_PORT must be a port number, not {port!r}.")
        return cls(
            database_url=database_url,
            direct_url=direct_url,
            redis_url=environ["REDIS_URL"],
            port=None if port is None else int(port),
            host=environ.get("HOST") or "127.0.0.1",
            own_phone=own_phone(environ),
            accounts={
                name: sender.account
                for name, sender in senders_file.read_all(environ).items()
                if sender.account is not None
            },
            max_jobs=variables.whole_number(environ, "WORKER_MAX_JOBS", 20_000),
            nice=variables.whole_number(environ, "WORKER_NICE", 14, maximum=19),
            feed_days=variables.whole_number(environ, "FEED_DAYS", 7, minimum=1, maximum=36_500),
            keep_seconds=variables.whole_number(environ, "STREAM_KEEP_SECONDS", 120, maximum=86_400),
            keep_bytes=variables.whole_number(environ, "STREAM_KEEP_BYTES", 0)
            if environ.get("STREAM_KEEP_BYTES")
            else None,
            suppression_key_store=SuppressionKeyStore.from_environ(environ),
            failpoints=environ.get("SAK_FAILPOINT") or None,
        )


def own_phone(environ: Mapping[str, str]) -> str | None:
    """Return the digits of SAK_PHONE, or None if it is not set."""
    return "".join(filter(str.isdecimal, environ.get("SAK_PHONE", ""))) or None
