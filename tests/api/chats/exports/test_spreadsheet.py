"""Tests exports as .xlsx workbooks."""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.chats.exports import spreadsheet
from tests.support import workbook
from tests.support.history.history_writer import SENDER_PHONE, ApiClient, HistoryWriter, message_fact, name_fact

HOSTILE = ["=1+1", "<r><t>x</t></r>", "a\x01b\ufffe", "]]>&<b>", "_x0041_"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_workbook_has_names_and_times_of_the_readers_clock(
    history: HistoryWriter, client: ApiClient, folder: Path
) -> None:
    """Times are numbers that Excel can sort and format, and no temporary file remains."""
    history.store(message_fact("नमस्ते"), name_fact("Asha"))
    history.store(message_fact(type="image", caption="roof", at=1000, direction="outgoing"))

    answer = client.get(f"/api/chats/{SENDER_PHONE}/export", format="xlsx", zone="Asia/Kolkata")

    head, first, second = workbook.rows(answer.content)
    assert answer.headers["content-type"] == spreadsheet.MEDIA_TYPE
    assert list(head.values())[:7] == ["Time", "Chat", "Number", "From", "Direction", "Type", "Text"]
    at = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(first["A"]))
    assert at.replace(microsecond=0) + timedelta(seconds=at.microsecond >= 500_000) == datetime(
        2025, 6, 15, 20, 36, 40, tzinfo=UTC
    )
    assert [first[column] for column in "BCDEFG"] == ["Asha", SENDER_PHONE, "Asha", "received", "text", "नमस्ते"]
    assert [second[column] for column in "EFG"] == ["sent", "image", "roof"]
    about = {row["A"]: row["B"] for row in workbook.rows(answer.content, sheet=2)}
    assert (about["Conversation"], about["Times"], about["Messages"]) == (f"Asha, {SENDER_PHONE}", "Asia/Kolkata", "2")
    assert list(folder.iterdir()) == []


def test_every_text_stays_text_in_its_cell(history: HistoryWriter, client: ApiClient, folder: Path) -> None:
    """There are no formulas, no markup and no invalid characters. A text that is too long is cut and marked as cut."""
    history.store(*(message_fact(text, n) for n, text in enumerate([*HOSTILE, "😀" * 20_000])))

    cells = [
        row["G"] for row in workbook.rows(client.get(f"/api/chats/{SENDER_PHONE}/export", format="xlsx").content)[1:]
    ]

    assert cells[0] == "=1+1"
    assert cells[1].strip() == HOSTILE[1]
    assert cells[3] == HOSTILE[3]
    assert cells[5].startswith("😀😀")
    assert cells[5].endswith("(cut)")
    assert len(cells[5].encode("utf-16-le")) <= 2 * 32_767
    assert list(folder.iterdir()) == []


def test_a_workbook_that_would_be_too_large_is_refused_in_the_envelope(
    history: HistoryWriter, client: ApiClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that does not fit on the disk is refused, too. Neither leaves a file or an occupied export slot."""
    history.store(message_fact("hello"))
    path = f"/api/chats/{SENDER_PHONE}/export"
    with monkeypatch.context() as small:
        small.setattr(spreadsheet, "MAX_ROWS", 0)
        refused = [client.get(path, format="xlsx") for _ in range(5)]
    with monkeypatch.context() as small:
        small.setattr(spreadsheet, "MAX_BYTES", 1000)
        history.store(*(message_fact("x" * 30_000, n) for n in range(1, 4)))
        refused.append(client.get(path, format="xlsx"))
    with monkeypatch.context() as full:
        full.setattr(tempfile, "tempdir", str(folder / "none"))
        without_room = client.get(path, format="xlsx")

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(400, "export_too_large")}
    assert (without_room.status_code, without_room.json()["code"]) == (503, "no_temporary_space")
    assert list(folder.iterdir()) == []
    assert client.get(path, format="xlsx").status_code == 200


def test_only_the_owner_can_read_a_workbook_and_files_of_killed_processes_are_removed(
    history: HistoryWriter, client: ApiClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, foreign = folder / "sak-export-old", folder / "other"
    for left in (old, foreign):
        left.mkdir()
        (left / "x").touch()
        os.utime(left, (time.time() - 9000, time.time() - 9000))
    history.store(message_fact("hello"))
    seen: list[int] = []
    finish = spreadsheet.Spreadsheet.finish

    def look(book: spreadsheet.Spreadsheet) -> object:
        seen.extend(path.stat().st_mode & 0o077 for path in folder.glob("sak-export-*/*"))
        return finish(book)

    monkeypatch.setattr(spreadsheet.Spreadsheet, "finish", look)

    assert client.get(f"/api/chats/{SENDER_PHONE}/export", format="xlsx").status_code == 200
    assert seen == [0] * 4
    assert list(folder.iterdir()) == [foreign]
