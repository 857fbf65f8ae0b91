"""Writes an export as an .xlsx workbook in a temporary folder that only its owner can read.

XlsxWriter keeps one row in memory and writes the others to a file, from which it builds the workbook at the end.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from api.chats import export_formats
from api.chats.export_formats import ExportHeading
from api.http.errors import ApiError
from store.reading.export import ExportPage

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_BYTES = 128 << 20
"""The size of one workbook's rows on disk before compression. Building the workbook takes the same again."""
MAX_ROWS = 1_000_000
"""Excel reads at most 1,048,576."""
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
_COLUMNS = (
    ("Time", 19), ("Chat", 24), ("Number", 16), ("From", 24), ("Direction", 10), ("Type", 10), ("Text", 80),
    ("File", 24), ("Status", 10), ("Session", 12), ("Message", 24),
)  # fmt: skip
"""The columns and their widths in characters."""


class Spreadsheet:
    """A workbook to which pages are added. `close` removes its files."""

    def __init__(self, heading: ExportHeading) -> None:
        """Create the workbook. Raises ApiError if the disk cannot be written."""
        self._heading = heading
        self._rows = 0
        _remove_abandoned(Path(tempfile.gettempdir()))
        with _disk_errors():
            self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
            self._path = self._folder / "export.xlsx"
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            options = {"constant_memory": True, "tmpdir": str(self._folder)}
            self._book = Workbook(str(self._path), options)
            self._time = self._format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
            self._sheet = self._add_messages_sheet()

    def add(self, page: ExportPage) -> None:
        """Write a row for each message. Raises ApiError if the workbook becomes too large."""
        with _disk_errors():
            for message in page.messages:
                self._rows += 1
                self._write_row(json.loads(message), page.chat_name)
            size = sum(file.stat().st_size for file in self._folder.iterdir())
        if self._rows > MAX_ROWS or size > MAX_BYTES:
            sentence = "This is too much for one spreadsheet: give a period by since and until, or use the format csv."
            raise ApiError(400, "export_too_large", sentence)

    def finish(self) -> Iterator[bytes]:
        """Yield the workbook in chunks. Its file has no name any more when the first chunk is returned."""
        with _disk_errors():
            self._add_about_sheet()
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

    def _add_messages_sheet(self) -> Worksheet:
        sheet = self._add_sheet("Messages")
        bold = self._format({"bold": True})
        sheet.freeze_panes(1, 0)
        for index, (name, width) in enumerate(_COLUMNS):
            sheet.set_column(index, index, width)
            sheet.write_string(0, index, name, bold)
        return sheet

    def _write_row(self, fields: dict[str, Any], chat_name: str | None) -> None:
        is_outgoing = fields["direction"] == "outgoing"
        text = "[deleted]" if fields["deleted"] else fields["message_text"] or fields["caption"]
        cells = (
            chat_name,
            fields["address"],
            fields["from_number"] if is_outgoing else export_formats.sender_name(fields, chat_name) or fields["sender"],
            "sent" if is_outgoing else "received",
            fields["message_type"],
            text,
            fields["file_name"],
            fields["status"],
            fields["session_id"],
            fields["message_id"],
        )
        self._sheet.write_number(self._rows, 0, _excel_day(fields["timestamp"], self._heading.times_zone), self._time)
        for column, value in enumerate(cells, start=1):
            if value:
                self._sheet.write_string(self._rows, column, _cell(cast("str", value)))

    def _add_about_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._rows, len(_COLUMNS) - 1)
        sheet = self._add_sheet("About")
        sheet.set_column(0, 0, 16)
        sheet.set_column(1, 1, 60)
        for index, (name, value) in enumerate([*self._heading.rows(), ("Messages", str(self._rows))]):
            sheet.write_string(index, 0, name)
            sheet.write_string(index, 1, _cell(value))


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


def _remove_abandoned(place: Path) -> None:
    """Remove the folders of processes that were killed while they wrote a workbook."""
    for folder in place.glob(f"{_FOLDER_PREFIX}*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue
        if status.st_uid == os.getuid() and status.st_mtime < time.time() - _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
