"""Holds listening sockets for the processes, so that a restart delays requests instead of refusing them."""

import errno
import socket

from dev.errors import StartError
from environment.listener import bind

LISTEN_BACKLOG = 1024
"""The number of connections that may wait while a process restarts."""


def open_listener(host: str, port: int, variable: str) -> socket.socket:
    """Return a listening socket; port 0 selects a free one. Raises StartError naming the variable of the port."""
    try:
        return bind(host, port, LISTEN_BACKLOG)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        raise StartError(f"HOST {host} is no address of this machine: {reason}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {port} on {host} is taken by another program: stop it, or set {variable}."
            ) from error
        raise StartError(f"Cannot listen on {host} port {port}: {error.strerror}. Set {variable} or HOST.") from error


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def free_port(host: str, port: int, variable: str) -> int:
    """Return a free port for a program that will listen itself: the requested one, or any for 0."""
    with open_listener(host, port, variable) as listener:
        return port_of(listener)


def browser_url(host: str, port: int) -> str:
    """Return the address for a browser on this machine. A host that means "all addresses" is replaced."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - recognised, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
