"""Reads ingest's settings from the environment once at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environment import secret_list, senders_file, variables
from environment.senders_file import Sender
from http_server import bounds
from http_server.bounds import ConnectionBounds
from ingest.signing.webhook_secrets import WebhookSecrets
from telemetry.errors import SettingsError

RESERVED_DESCRIPTORS = 64
"""File descriptors for Redis, the spool, the tail, and connections that are being closed."""
BODY_SECONDS = 8.0
"""The time in seconds that a body may take to arrive. SAK itself gives up after 8 seconds."""
DEFAULT_TAIL_MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    redis_url: str = field(repr=False)
    """May contain a password."""
    webhook_secrets: tuple[str, ...] = field(repr=False)
    """Secrets that may sign webhooks, from the environment."""
    secrets_file: Path
    """A file with further secrets, which is read again when it changes. It need not exist."""
    allow_unsigned: bool
    """True to accept every webhook of SAK, signed or not, for a trial."""
    senders_file: Path
    """The file with the senders of /webhooks/NAME, which is read again when it changes. It need not exist."""
    sender: Sender | None
    """The sender that is configured by variables."""
    max_body_bytes: int
    connection_bounds: ConnectionBounds
    spool_dir: Path
    spool_max_bytes: int
    """The size limit for this process: bodies and their overhead."""
    quarantine_max_bytes: int
    """The size limit for webhooks that no secret signs."""
    tail_seconds: int
    """The time in seconds for which acknowledged events are remembered in addition to Redis; 0 to disable."""
    tail_max_bytes: int
    """The size limit of these events, in memory and again in files."""
    min_replicas: int
    """The number of replicas that must have an event before it is acknowledged; 0 if the primary is enough."""
    failpoints: str


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings. Raises SettingsError naming the variable."""
    redis_url = environ.get("REDIS_URL", "").strip()
    if not redis_url:
        raise SettingsError(
            "REDIS_URL is not set: it names the Redis that stores acknowledged events. Set it, or start ./run."
        )
    secrets = secret_list.read("WEBHOOK_SECRETS", environ.get("WEBHOOK_SECRETS", ""))
    allow_unsigned = variables.switch(environ, "WEBHOOK_ALLOW_UNSIGNED")
    secrets_file = Path(environ.get("WEBHOOK_SECRETS_FILE") or ".env").absolute()
    has_senders = bool(senders_file.read_all(environ))
    if not secrets and not allow_unsigned and not has_senders and not WebhookSecrets((), secrets_file).values:
        raise SettingsError(
            "WEBHOOK_SECRETS is missing: it holds the secrets, separated by commas, that sign webhooks. "
            "Gateways other than SAK need senders.toml instead. "
            "For a trial without signatures set WEBHOOK_ALLOW_UNSIGNED=1."
        )
    data_dir = Path(environ.get("DATA_DIR") or "var")
    max_body_bytes = variables.whole_number(environ, "MAX_BODY_BYTES", 1 << 20, minimum=1)
    return Settings(
        redis_url=redis_url,
        webhook_secrets=tuple(secrets),
        secrets_file=secrets_file,
        allow_unsigned=allow_unsigned,
        senders_file=senders_file.path(environ),
        sender=senders_file.from_environ(environ),
        max_body_bytes=max_body_bytes,
        connection_bounds=ConnectionBounds(
            max_connections=bounds.read_max_connections(environ, RESERVED_DESCRIPTORS),
            max_unfinished_bytes=bounds.read_max_unfinished_bytes(environ, max_body_bytes),
            kept_body_bytes=max_body_bytes,
            body_seconds=BODY_SECONDS,
            answers_half_closed=True,
        ),
        spool_dir=Path(environ.get("SPOOL_DIR") or data_dir / "spool"),
        spool_max_bytes=variables.whole_number(environ, "SPOOL_MAX_BYTES", 1 << 30, minimum=1),
        quarantine_max_bytes=variables.whole_number(environ, "QUARANTINE_MAX_BYTES", 64 << 20),
        tail_seconds=variables.whole_number(environ, "TAIL_SECONDS", 10),
        tail_max_bytes=variables.whole_number(environ, "TAIL_MAX_BYTES", DEFAULT_TAIL_MAX_BYTES, minimum=1),
        min_replicas=variables.whole_number(environ, "REDIS_MIN_REPLICAS", 0),
        failpoints=environ.get("SAK_FAILPOINT", ""),
    )
