"""Tests how many exports run at a time, and for how long."""

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from api.chats import export
from api.chats.export_slots import ExportSlots
from tests.support.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact


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
