"""Opens the socket that a process listens on."""

import socket
from collections.abc import Mapping

from telemetry.errors import SettingsError

LISTEN_BACKLOG = 2048
_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - platforms that set PORT route to this process


def open_socket(environ: Mapping[str, str], variable: str, default_port: int) -> socket.socket:
    """Return the inherited socket LISTEN_FD, or a new one on HOST and PORT.

    If PORT is not set, the port is that in `variable`. HOST defaults to every IPv4 address if PORT is set, and to
    127.0.0.1 otherwise. Raises SettingsError.
    """
    if inherited := environ.get("LISTEN_FD"):
        try:
            return socket.socket(fileno=_parse_number("LISTEN_FD", inherited))
        except OSError as error:
            raise SettingsError(f"LISTEN_FD ({inherited}) must be the file descriptor of an open socket.") from error
    if port := environ.get("PORT"):
        return listen(environ.get("HOST") or _ALL_ADDRESSES, _parse_number("PORT", port), "PORT")
    number = _parse_number(variable, environ.get(variable) or str(default_port))
    return listen(environ.get("HOST") or "127.0.0.1", number, variable)


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Return a listening socket. `::` means every address of both families.

    Raises SettingsError naming the variable.
    """
    try:
        return bind(host, port)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no host name"
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise SettingsError(f"Cannot listen on {shown} (HOST, {variable}): {reason}.") from error


def bind(host: str, port: int, backlog: int = LISTEN_BACKLOG) -> socket.socket:
    """Return a socket listening on the first address of the host.

    Raises OSError, and UnicodeError if the host name is invalid.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = addresses[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Set explicitly whether `::` includes IPv4, because the machine's default may differ.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _parse_number(name: str, text: str) -> int:
    if not text.strip().isdecimal() or not int(text) <= 65535:
        raise SettingsError(f"{name} must be a port number, not {text!r}.")
    return int(text)
