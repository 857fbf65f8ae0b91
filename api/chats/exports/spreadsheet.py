"""Writes an export as an .xlsx workbook in a temporary folder that only its owner can read.

XlsxWriter keeps one row in memory and writes the others to a file, from which it builds the workbook at the end.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from api.chats.exports import export_table
from api.chats.exports.export_heading import ExportHeading
from api.http.errors import ApiError
from store.reading.export import ExportChat, ExportPage

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_BYTES = 128 << 20
"""The size of one workbook's rows on disk before compression. Building the workbook takes the same again."""
MAX_ROWS = 1_000_000
"""The greatest number of rows of messages. Excel reads at most 1,048,576 rows."""
_MAX_CELL_LENGTH = 32_767
"""The number of UTF-16 units that Excel reads in a cell."""
_CUT = " … (cut)"
_JOINED_ESCAPES = re.compile("(_x[0-9A-Fa-f]{4})_(?=x[0-9A-Fa-f]{4}_)")
_FOLDER_PREFIX = "sak-export-"
_ABANDONED_SECONDS = 7200
"""The age in seconds at which a folder must belong to a killed process; twice the longest duration of an export."""
_CHUNK_BYTES = 128 << 10
_EPOCH_DAY = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of Excel."""


class Spreadsheet:
    """A workbook to which pages are added. `close` removes its files."""

    def __init__(self, heading: ExportHeading) -> None:
        """Create the workbook. Raises ApiError if the disk cannot be written."""
        self._heading = heading
        self._rows = self._note_rows = 0
        _remove_abandoned(Path(tempfile.gettempdir()))
        with _disk_errors():
            self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
            self._path = self._folder / "export.xlsx"
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            options = {"constant_memory": True, "tmpdir": str(self._folder)}
            self._book = Workbook(str(self._path), options)
            self._time = self._format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
            self._bold = self._format({"bold": True})
            self._messages = self._add_table("messages", export_table.COLUMNS)
            self._about = self._add_sheet(heading.word("about"))
            self._notes = self._add_table("notes", export_table.NOTE_COLUMNS)

    def add(self, page: ExportPage) -> None:
        """Write a row for each message. Raises ApiError if the workbook becomes too large."""
        with _disk_errors():
            for message in page.messages:
                self._rows += 1
                fields = json.loads(message)
                cells = export_table.message_cells(fields, page.chat, self._heading)
                self._write_row(self._messages, self._rows, fields["timestamp"], cells)
            if page.is_first:
                self._write_notes(page.chat)
            size = sum(file.stat().st_size for file in self._folder.iterdir())
        if self._rows > MAX_ROWS or size > MAX_BYTES:
            sentence = "This is too much for one spreadsheet: give a period by since and until, or use the format csv."
            raise ApiError(400, "export_too_large", sentence)

    def finish(self) -> Iterator[bytes]:
        """Yield the workbook in chunks. Its file has no name any more when the first chunk is returned."""
        with _disk_errors():
            self._fill_about_sheet()
            self._book.close()
            file = self._path.open("rb")
        with file:
            self.close()
            while piece := file.read(_CHUNK_BYTES):
                yield piece

    def close(self) -> None:
        for sheet in self._book.worksheets():
            rows = cast("TextIOWrapper", sheet.row_data_fh)  # pyright: ignore[reportUnknownMemberType] - partly typed
            rows.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self, properties: dict[str, object]) -> Format:
        return self._book.add_format(properties)  # pyright: ignore[reportUnknownMemberType] - partly typed

    def _add_sheet(self, name: str) -> Worksheet:
        return self._book.add_worksheet(name)  # pyright: ignore[reportUnknownMemberType] - partly typed

    def _add_table(self, name: str, columns: Sequence[tuple[str, int]]) -> Worksheet:
        sheet = self._add_sheet(self._heading.word(name))
        sheet.freeze_panes(1, 0)
        for index, (column, width) in enumerate(columns):
            sheet.set_column(index, index, width)
            sheet.write_string(0, index, self._heading.word(column), self._bold)
        return sheet

    def _write_row(self, sheet: Worksheet, row: int, at: int, cells: Sequence[str | None]) -> None:
        """Write a time, in ms, and texts."""
        sheet.write_number(row, 0, _excel_day(at, self._heading.zone_or_utc), self._time)
        for column, value in enumerate(cells, start=1):
            if value:
                sheet.write_string(row, column, _cell(value))

    def _write_notes(self, chat: ExportChat) -> None:
        address = self._heading.spell_address(chat.address)
        for note in chat.notes:
            self._note_rows += 1
            self._write_row(
                self._notes, self._note_rows, note.at, (chat.name, address, self._heading.author(note), note.text)
            )

    def _fill_about_sheet(self) -> None:
        self._messages.autofilter(0, 0, self._rows, len(export_table.COLUMNS) - 1)
        self._about.set_column(0, 0, 16)
        self._about.set_column(1, 1, 60)
        chat = self._heading.chat
        labels = [(self._heading.word("labels"), ", ".join(chat.labels))] if chat and chat.labels else []
        count = (self._heading.word("messages"), str(self._rows))
        for index, (name, value) in enumerate([*self._heading.rows(), *labels, count]):
            self._about.write_string(index, 0, name)
            self._about.write_string(index, 1, _cell(value))


@contextmanager
def _disk_errors() -> Generator[None]:
    """Translate disk errors into ApiError."""
    try:
        yield
    except (OSError, FileCreateError) as error:
        sentence = "The spreadsheet could not be written: the disk for temporary files may be full."
        raise ApiError(503, "no_temporary_space", sentence, {"retry-after": "60"}) from error


def _excel_day(at: int, zone: ZoneInfo) -> float:
    """Return a time in ms as a number of days in Excel's format, on the clocks of the zone."""
    local = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).replace(tzinfo=UTC)
    return (local - _EPOCH_DAY).total_seconds() / 86_400


def _cell(text: str) -> str:
    """Return the text in a form that a cell can contain."""
    if len(text) > _MAX_CELL_LENGTH // 2 and len(text.encode("utf-16-le")) // 2 > _MAX_CELL_LENGTH:
        kept = text.encode("utf-16-le")[: 2 * (_MAX_CELL_LENGTH - len(_CUT))]
        text = kept.decode("utf-16-le", errors="ignore") + _CUT
    # XlsxWriter escapes only the first of two escapes of Excel that share an underscore: a word joiner separates them.
    text = _JOINED_ESCAPES.sub("\\1_\u2060", text)
    # XlsxWriter would take such a text for its own markup.
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of processes that were killed while they wrote a workbook."""
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue
        if status.st_uid == os.getuid() and status.st_mtime < time.time() - _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
