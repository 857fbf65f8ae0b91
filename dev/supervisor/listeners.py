"""Listening sockets that the supervisor holds, so that a restart delays requests instead of refusing them."""

import errno
import socket

from dev.errors import StartError
from environment.listener import bind

LISTEN_BACKLOG = 1024
"""Connections that may wait while a process is being started again."""


def open_listener(host: str, port: int, variable: str) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises StartError naming the variable that chooses the port."""
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
    """A port that is free now, for a program that will listen by itself: the one asked for, or for 0 any."""
    with open_listener(host, port, variable) as listener:
        return port_of(listener)


def browser_url(host: str, port: int) -> str:
    """Where a browser on this machine finds it: an address that means "all" is no address to go to."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - recognised, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
