"""Opens ingest's socket: LISTEN_FD, else PORT on every address, else INGEST_PORT on HOST."""

import socket
from collections.abc import Mapping

from telemetry.errors import SettingsError

LISTEN_BACKLOG = 2048


def open_socket(environ: Mapping[str, str]) -> socket.socket:
    """The listening socket; raises SettingsError for a malformed number and OSError for a foreign address."""
    if inherited := environ.get("LISTEN_FD"):
        return socket.socket(fileno=_parse_number("LISTEN_FD", inherited))
    if port := environ.get("PORT"):
        return _bind("0.0.0.0", _parse_number("PORT", port))  # noqa: S104 - platforms that set PORT route to this process
    return _bind(environ.get("HOST") or "127.0.0.1", _parse_number("INGEST_PORT", environ.get("INGEST_PORT") or "3000"))


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    return listener


def _parse_number(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise SettingsError(f"{name} must be a number, not {text!r}.")
    return int(text)
