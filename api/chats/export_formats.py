"""Formats exports as NDJSON, CSV or a plain transcript, each of which ends with a manifest."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from store.model import lines
from store.reading.export import ExportPage, ExportPeriod

_CSV_COLUMNS = (
    "id", "session_id", "address", "message_id", "timestamp", "direction", "from_number", "to_number", "sender",
    "sender_name", "message_type", "message_text", "caption", "media_url", "file_name", "status", "reply_to", "edited",
    "deleted", "created_at", "chat_name", "local_time",
)  # fmt: skip
_SEPARATORS = frozenset(",;|\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")
_FORMULA_START = re.compile("(^\\s*+|[,;|]\\s*+|(?<![\\s,;|])\\s++)([=+@\uff1d\uff0b\uff0d\uff20-])")
"""The sign of a formula and what is before it, in a cell or in a cell that results if a spreadsheet splits the text at
another separator. White space is read once, from its beginning, because a message may consist of nothing else.
https://owasp.org/www-community/attacks/CSV_Injection
"""
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads UTF-8 in the code page of its country."""


@dataclass(frozen=True, slots=True)
class ExportHeading:
    """Describes what an export contains."""

    title: str
    """The name and the address of the chat, or the name of the session."""
    period: ExportPeriod
    zone: ZoneInfo | None
    """The reader's time zone. If it is None, the file has no heading and times are in UTC."""
    exported_at: datetime

    @property
    def times_zone(self) -> ZoneInfo:
        return self.zone or _UTC

    def rows(self) -> list[tuple[str, str]]:
        """Return the title, the period in days of the zone, the zone, and the time of the export."""
        first, last = self._day(self.period.since), self._day(self.period.until, before=1)
        return [
            ("Conversation", self.title),
            ("Period", f"{first or 'the beginning'} to {last or 'now'}"),
            ("Times", str(self.times_zone)),
            ("Exported on", self.exported_at.astimezone(self.times_zone).strftime("%Y-%m-%d %H:%M")),
        ]

    def _day(self, at: int | None, before: int = 0) -> str | None:
        return None if at is None else local_time(at - before, self.times_zone)[:10]


_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class ExportFormat:
    name: str
    media_type: str
    encode_heading: Callable[[ExportHeading], str]
    encode_page: Callable[[ExportPage, ZoneInfo], str]
    encode_manifest: Callable[[str], str]
    """Formats the manifest, given as JSON, as the last line."""


def local_time(at: int, zone: ZoneInfo) -> str:
    """Return a time in ms as `2026-01-31 12:00:00` in the zone."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _no_heading(_: ExportHeading) -> str:
    return ""


def _ndjson(page: ExportPage, _: ZoneInfo) -> str:
    return "".join(f"{lines.escape_json(message)}\n" for message in page.messages)


def _csv_heading(_: ExportHeading) -> str:
    return _BYTE_ORDER_MARK + _csv_rows([_CSV_COLUMNS])


def _csv(page: ExportPage, zone: ZoneInfo) -> str:
    return _csv_rows(_csv_row(json.loads(message), page.chat_name, zone) for message in page.messages)


def _csv_row(fields: dict[str, Any], chat_name: str | None, zone: ZoneInfo) -> list[object]:
    cells = fields | {"chat_name": chat_name, "local_time": local_time(fields["timestamp"], zone)}
    return [cells.get(name) for name in _CSV_COLUMNS]


def _csv_rows(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(map(_escape_formula, row) for row in rows)
    return text.getvalue()


def _escape_formula(value: object) -> object:
    """Return the value changed so that a spreadsheet does not evaluate it."""
    return _FORMULA_START.sub(_quote_start, value) if isinstance(value, str) else value


def _quote_start(match: re.Match[str]) -> str:
    before, sign = match[1], match[2]
    starts_cell = match.start() == 0 or not _SEPARATORS.isdisjoint(before)
    return f"{before}'{sign}" if starts_cell else match[0]


def _transcript_heading(heading: ExportHeading) -> str:
    if heading.zone is None:
        return ""
    return "".join(f"-- {name}: {lines.show(value)}\n" for name, value in heading.rows())


def _transcript(page: ExportPage, zone: ZoneInfo) -> str:
    return "".join(_transcript_line(json.loads(message), page.chat_name, zone) for message in page.messages)


def _transcript_line(fields: dict[str, Any], chat_name: str | None, zone: ZoneInfo) -> str:
    """Return a message as a line of the transcript.

    Time, direction, address, type and name come before the text, so that neither a name nor a text can imitate them.
    """
    direction = "->" if fields["direction"] == "outgoing" else "<-"
    head = f"[{local_time(fields['timestamp'], zone)}] {direction} {fields['sender'] or fields['address']}"
    if fields["deleted"]:
        return f"{head} [deleted]\n"
    kind = "" if fields["message_type"] == "text" else f" [{fields['message_type']}]"
    sender = sender_name(fields, chat_name)
    name = f" ({lines.show(sender)})" if sender else ""
    text = lines.show((fields["message_text"] or fields["caption"] or "").replace("\r\n", "\n").strip(), keep="\n")
    # Further lines are indented, so that none can be mistaken for another message.
    return f"{head}{kind}{name}: {text}".replace("\n", "\n    ") + "\n"


def sender_name(fields: dict[str, Any], chat_name: str | None) -> str | None:
    """Return the name of the author, as reported with the message, or else the name of the chat with that person."""
    is_of_chat = fields["direction"] == "incoming" and not fields["sender"]
    return fields["sender_name"] or (chat_name if is_of_chat else None)


FORMATS = {
    export_format.name: export_format
    for export_format in (
        ExportFormat("ndjson", "application/x-ndjson", _no_heading, _ndjson, '{{"manifest":{}}}\n'.format),
        ExportFormat("csv", "text/csv; charset=utf-8", _csv_heading, _csv, "# {}\r\n".format),
        ExportFormat("txt", "text/plain; charset=utf-8", _transcript_heading, _transcript, "-- {}\n".format),
    )
}
