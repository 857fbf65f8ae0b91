"""Reads the settings of the API from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from api.gateway.settings import SakSettings
from api.oidc.settings import OidcSettings
from environment import senders_file, variables
from environment.senders_file import Sender
from http_server import bounds
from http_server.bounds import ConnectionBounds
from store.postgres import connections as postgres_connections
from telemetry.errors import SettingsError

_MIN_TOKEN_LENGTH = 16
_MIN_TOKEN_CHARACTERS = 8
_KEPT_BODY_BYTES = 1 << 20
"""The largest JSON body. Files are written to disk as they arrive."""
_MIN_SESSION_POLL_SECONDS = 30
_MIN_HISTORY_READ_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    bootstrap_token: str = field(repr=False)
    """API_TOKEN, which has all sessions and all scopes."""
    pool_size: int
    """The number of connections for reading, which limits the number of concurrent queries."""
    max_file_bytes: int
    """The size in bytes of the largest file that may be sent."""
    sak: SakSettings | None = field(default=None, repr=False)
    """The address of SAK and the credentials for it, or None if SAK is not configured."""
    session_poll_seconds: int = 0
    """The seconds between two polls of the session's state, or 0 to disable polling."""
    history_read_seconds: int = 0
    """The seconds between two reads of the gateway's list of sent messages, or 0 to disable reading."""
    direct_database_url: str = field(default="", repr=False)
    """The URL of the same database without a pooler in between."""
    is_behind_tls: bool = False
    """True if clients reach the API over TLS through a proxy."""
    replica_url: str | None = field(default=None, repr=False)
    """A read replica, or None if there is none."""
    senders_file: Path = Path("senders.toml")
    """The file with the other gateways, which is read again when it changes. It need not exist."""
    sender: Sender | None = field(default=None, repr=False)
    """The gateway that is configured by variables."""
    single_sign_on: OidcSettings | None = field(default=None, repr=False)
    """The OpenID Connect provider at which people sign in, or None if there is none."""
    connection_bounds: ConnectionBounds = field(kw_only=True)
    ingest_url: str | None = None
    """The address at which ingest receives webhooks, or None if it is not known."""
    test_event_secret: str = field(default="", repr=False)
    """The secret that signs test events. If empty, none are sent."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings. Raises SettingsError."""
        token = environ.get("API_TOKEN", "").strip()
        if not token:
            raise SettingsError("API_TOKEN is not set: set it to a secret that clients of the API must send.")
        if len(token) < _MIN_TOKEN_LENGTH or len(set(token)) < _MIN_TOKEN_CHARACTERS:
            raise SettingsError(
                f"API_TOKEN can be guessed: it must have at least {_MIN_TOKEN_LENGTH} characters, at least"
                f" {_MIN_TOKEN_CHARACTERS} of them different. `openssl rand -hex 32` creates a good one."
            )
        database_url = postgres_connections.url(environ)
        direct_url, replica_url = postgres_connections.direct_url(environ), postgres_connections.replica_url(environ)
        sak, single_sign_on = SakSettings.from_environ(environ), OidcSettings.from_environ(environ)
        poll_seconds = variables.whole_number(environ, "SAK_WATCH_SECONDS", 0, maximum=86_400)
        if 0 < poll_seconds < _MIN_SESSION_POLL_SECONDS:
            raise SettingsError(
                f"SAK_WATCH_SECONDS must be 0 or at least {_MIN_SESSION_POLL_SECONDS}, as SAK limits the request rate."
            )
        history_seconds = variables.whole_number(environ, "SAK_HISTORY_SECONDS", 600, maximum=86_400)
        if 0 < history_seconds < _MIN_HISTORY_READ_SECONDS:
            raise SettingsError(
                f"SAK_HISTORY_SECONDS must be 0 or at least {_MIN_HISTORY_READ_SECONDS}, as SAK limits the request"
                " rate."
            )
        senders_file.read_all(environ)  # a mistake in the file is an error at start
        pool_size = variables.whole_number(environ, "API_CONNECTIONS", 8, minimum=1, maximum=200)
        return cls(
            database_url=database_url,
            bootstrap_token=token,
            pool_size=pool_size,
            max_file_bytes=variables.whole_number(environ, "SEND_MAX_FILE_BYTES", 64 << 20, minimum=1, maximum=2 << 30),
            sak=sak,
            session_poll_seconds=poll_seconds,
            history_read_seconds=history_seconds,
            direct_database_url=direct_url,
            is_behind_tls=variables.switch(environ, "API_HTTPS"),
            replica_url=replica_url,
            senders_file=senders_file.path(environ),
            sender=senders_file.from_environ(environ),
            single_sign_on=single_sign_on,
            connection_bounds=_read_connection_bounds(environ, pool_size),
            ingest_url=_parse_url(environ, "INGEST_URL"),
            test_event_secret=environ.get("TEST_EVENT_SECRET", "").strip(),
        )


def _parse_url(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "").strip()
    if not value:
        return None
    # The value may contain a password, so the error does not repeat it.
    if not re.fullmatch(r"https?://[\w.:\[\]-]+/[\w./-]*", value):
        raise SettingsError(f"{name} must be an address such as http://ingest:3000/whatsapp-webhook.")
    return value


def _read_connection_bounds(environ: Mapping[str, str], pool_size: int) -> ConnectionBounds:
    return ConnectionBounds(
        # The pools of the primary and of the replica, the listener, exports and calls of the gateway.
        max_connections=bounds.read_max_connections(environ, 2 * pool_size + 64),
        max_unfinished_bytes=bounds.read_max_unfinished_bytes(environ, _KEPT_BODY_BYTES),
        kept_body_bytes=_KEPT_BODY_BYTES,
        body_seconds=20.0,
        min_body_rate=16 << 10,
        unread_seconds=120.0,
    )
