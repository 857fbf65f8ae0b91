"""Opens the socket that the API listens on."""

import socket
from collections.abc import Mapping

from api.settings import SettingsError

_DEFAULT_PORT = 3001


def open_socket(environ: Mapping[str, str]) -> socket.socket:
    """The inherited socket LISTEN_FD; else PORT on every interface; else API_PORT on HOST. Raises SettingsError."""
    if inherited := environ.get("LISTEN_FD"):
        try:
            return socket.socket(fileno=int(inherited))
        except (ValueError, OSError) as error:
            raise SettingsError(f"LISTEN_FD ({inherited}) must be the file descriptor of an open socket.") from error
    name = "PORT" if environ.get("PORT") else "API_PORT"
    host = "0.0.0.0" if name == "PORT" else environ.get("HOST") or "127.0.0.1"  # noqa: S104 - what PORT means (README)
    port = environ.get(name) or str(_DEFAULT_PORT)
    if not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"{name} must be a port number, not {port!r}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise SettingsError(f"Cannot listen on {host}:{port} ({name}): {error.strerror}.") from error
    return listener
