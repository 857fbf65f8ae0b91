"""Tests how many exports run at a time, and for how long."""

import socket
from urllib.parse import urlsplit

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from api.chats.exports import export
from api.chats.exports.export_slots import ExportSlots
from dev.embedded.child_process import wait_until
from store.access import tokens
from store.postgres import connections
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact

EXPORTING = "SELECT FROM pg_stat_activity WHERE application_name = 'api export' AND datname = current_database()"


def test_a_token_has_two_exports_and_all_have_four_of_which_two_are_workbooks() -> None:
    """Each export takes a connection to PostgreSQL, and each workbook the disk for temporary files."""
    slots = ExportSlots()
    callers = [1, 1, 1, 2, 2, 3, 3]

    workbooks = [slots.try_acquire(caller, spreadsheet=True) for caller in (1, 2, 3)]
    slots.release(1, spreadsheet=True)
    slots.release(2, spreadsheet=True)
    plain = [slots.try_acquire(caller, spreadsheet=False) for caller in callers]

    assert workbooks == [True, True, False]
    assert plain == [True, True, False, True, True, False, False]


def test_an_export_that_takes_too_long_ends_without_its_manifest(
    history: HistoryWriter, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its snapshot prevents PostgreSQL from removing old rows, however steadily the client reads."""
    history.store(message_fact("hello"))
    monkeypatch.setattr(export, "MAX_SECONDS", 0.0)

    with pytest.raises((requests.ConnectionError, ChunkedEncodingError)):
        client.get(f"/api/chats/{SENDER_PHONE}/export")

    monkeypatch.setattr(export, "MAX_SECONDS", 30.0)
    assert client.get(f"/api/chats/{SENDER_PHONE}/export").status_code == 200


def test_an_export_ends_when_its_token_is_revoked(history: HistoryWriter, client: ApiClient) -> None:
    """Whoever leaves must not take the rest of a history that is being downloaded."""
    history.store(*(message_fact("x" * 1_000_000, n) for n in range(16)))  # more than the buffers of the connection
    server = urlsplit(client.url)
    with connections.open(history.database_url, "test") as connection, socket.socket() as reader:
        secret = tokens.create(connection, "leaver", ["read"])
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((server.hostname, server.port))
        path = f"/api/chats/{SENDER_PHONE}/export"
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
        assert reader.recv(4096).startswith(b"HTTP/1.1 200 ")
        tokens.revoke(connection, "leaver")

        assert wait_until(lambda: not history.rows(EXPORTING), 20)
        rest = b"".join(iter(lambda: reader.recv(1 << 20), b""))
        assert b'"manifest"' not in rest
