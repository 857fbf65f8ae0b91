"""Tests the addresses on which a process listens."""

import os
import socket
from collections.abc import Iterator, Mapping

import pytest

from environment import listener
from telemetry.errors import SettingsError


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def reachable(port: str) -> Iterator[str]:
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            continue
        yield host


@pytest.mark.parametrize(
    ("environ", "hosts"),
    [
        ({}, ["127.0.0.1"]),
        ({"HOST": "::"}, ["127.0.0.1", "::1"]),
        ({"HOST": "0.0.0.0"}, ["127.0.0.1"]),
        ({"HOST": "::1"}, ["::1"]),
    ],
)
@pytest.mark.parametrize("variable", ["PORT", "INGEST_PORT"])
def test_host_decides_the_families_with_either_variable(
    environ: Mapping[str, str], hosts: list[str], variable: str, free_port: str
) -> None:
    """Railway's private network uses IPv6, so PORT with HOST=:: must serve both IPv6 and IPv4."""
    with listener.open_socket({**environ, variable: free_port}, "INGEST_PORT", 3000):
        assert list(reachable(free_port)) == hosts


def test_port_without_host_is_every_address_of_ipv4(free_port: str) -> None:
    with listener.open_socket({"PORT": free_port}, "API_PORT", 3001) as opened:
        assert opened.getsockname() == ("0.0.0.0", int(free_port))


def test_an_inherited_socket_comes_first(free_port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = str(os.dup(server.fileno()))
        with listener.open_socket({"LISTEN_FD": number, "PORT": free_port}, "API_PORT", 3001) as opened:
            assert opened.getsockname() == server.getsockname()


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"PORT": "http"}, "PORT must be a port number, not 'http'"),
        ({"API_PORT": "65536"}, "API_PORT must be a port number, not '65536'"),
        ({"LISTEN_FD": "x"}, "LISTEN_FD must be a port number|LISTEN_FD"),
        ({"HOST": "192.0.2.1", "API_PORT": "0"}, r"Cannot listen on 192\.0\.2\.1:0 \(HOST, API_PORT\)"),
        ({"HOST": "a..b", "API_PORT": "0"}, r"Cannot listen on a\.\.b:0 \(HOST, API_PORT\)"),
        ({"HOST": "2001:db8::1", "PORT": "0"}, r"Cannot listen on \[2001:db8::1\]:0 \(HOST, PORT\)"),
    ],
)
def test_what_cannot_be_listened_on_is_a_sentence(environ: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        listener.open_socket(environ, "API_PORT", 3001)
