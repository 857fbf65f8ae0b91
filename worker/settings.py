"""Reads the worker's settings from the environment once at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from environment import senders_file
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
    """The bytes of Redis' memory that they may use, or None for a share of its memory."""
    suppression_key_store: SuppressionKeyStore
    """Finds the suppression key."""
    failpoints: str | None
    """For tests: the place at which the process dies (ingest/queue/failpoints.py)."""

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
        max_jobs = environ.get("WORKER_MAX_JOBS") or "20000"
        if not max_jobs.isdecimal():
            raise SettingsError(f"WORKER_MAX_JOBS must be a number, not {max_jobs!r}.")
        nice = environ.get("WORKER_NICE") or "14"
        if not nice.isdecimal() or int(nice) > 19:
            raise SettingsError(f"WORKER_NICE must be a number from 0 to 19, not {nice!r}.")
        feed_days = environ.get("FEED_DAYS") or "7"
        if not feed_days.isdecimal() or not 1 <= int(feed_days) <= 36500:
            raise SettingsError(f"FEED_DAYS must be a number from 1 to 36500, not {feed_days!r}.")
        keep_seconds = environ.get("STREAM_KEEP_SECONDS") or "120"
        if not keep_seconds.isdecimal() or int(keep_seconds) > 86400:
            raise SettingsError(f"STREAM_KEEP_SECONDS must be a number from 0 to 86400, not {keep_seconds!r}.")
        keep_bytes = environ.get("STREAM_KEEP_BYTES") or None
        if keep_bytes is not None and not keep_bytes.isdecimal():
            raise SettingsError(f"STREAM_KEEP_BYTES must be a number, not {keep_bytes!r}.")
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
            max_jobs=int(max_jobs),
            nice=int(nice),
            feed_days=int(feed_days),
            keep_seconds=int(keep_seconds),
            keep_bytes=None if keep_bytes is None else int(keep_bytes),
            suppression_key_store=SuppressionKeyStore.from_environ(environ),
            failpoints=environ.get("SAK_FAILPOINT") or None,
        )


def own_phone(environ: Mapping[str, str]) -> str | None:
    """Return the digits of SAK_PHONE, or None if it is not set."""
    return "".join(filter(str.isdecimal, environ.get("SAK_PHONE", ""))) or None
