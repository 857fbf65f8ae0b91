"""Formats exports as NDJSON, CSV or a plain transcript, each of which ends with a manifest."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from api.chats.exports import export_table
from api.chats.exports.export_heading import ExportHeading
from store.model import lines
from store.reading.export import ExportChat, ExportNote, ExportPage

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
class ExportFormat:
    name: str
    media_type: str
    encode_heading: Callable[[ExportHeading], str]
    encode_page: Callable[[ExportPage, ExportHeading], str]
    encode_manifest: Callable[[str], str]
    """Formats the manifest, given as JSON, as the last line."""


def _ndjson(page: ExportPage, _: ExportHeading) -> str:
    return "".join(f"{lines.escape_json(message)}\n" for message in page.messages)


def _csv_heading(heading: ExportHeading) -> str:
    """Return the names of the API's fields or, with a language, of the columns of a table for people."""
    return _BYTE_ORDER_MARK + _csv_rows([export_table.column_names(heading) if heading.language else _CSV_COLUMNS])


def _csv(page: ExportPage, heading: ExportHeading) -> str:
    if heading.language and page.is_first:
        notes = _csv_rows(_note_row(note, page.chat, heading) for note in page.chat.notes)
    else:
        notes = ""
    return notes + _csv_rows(_csv_row(json.loads(message), page.chat, heading) for message in page.messages)


def _csv_row(fields: dict[str, Any], chat: ExportChat, heading: ExportHeading) -> Sequence[object]:
    at = heading.local_time(fields["timestamp"])
    if heading.language:
        return [at, *export_table.message_cells(fields, chat, heading)]
    cells = fields | {"chat_name": chat.name, "local_time": at}
    return [cells.get(name) for name in _CSV_COLUMNS]


def _note_row(note: ExportNote, chat: ExportChat, heading: ExportHeading) -> Sequence[object]:
    """Return a note as a row, which stands before the messages of its chat: a CSV file has one table."""
    about = [heading.local_time(note.at), chat.name, heading.spell_address(chat.address), heading.author(note)]
    return [*about, None, heading.word("note"), note.text, None, None, None, ", ".join(chat.labels), None]


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
    return _about(heading.rows()) if _has_headings(heading) else ""


def _has_headings(heading: ExportHeading) -> bool:
    """Return whether the zone or the language of the reader is known."""
    return bool(heading.zone or heading.language)


def _about(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"-- {lines.escape_invisible(name)}: {lines.escape_invisible(value)}\n" for name, value in rows)


def _transcript(page: ExportPage, heading: ExportHeading) -> str:
    about = _about(heading.chat_rows(page.chat)) if page.is_first and _has_headings(heading) else ""
    return about + "".join(_transcript_line(json.loads(message), page.chat, heading) for message in page.messages)


def _transcript_line(fields: dict[str, Any], chat: ExportChat, heading: ExportHeading) -> str:
    """Return a message as a line of the transcript.

    Time, direction, address, type and name come before the text, so that neither a name nor a text can imitate them.
    """
    direction, kind = _ARROWS[fields["direction"]], fields["message_type"]
    if heading.language:
        direction, kind = heading.word(fields["direction"]), heading.word(f"type_{kind}", kind)
    head = f"[{heading.local_time(fields['timestamp'])}] {direction} "
    head += heading.spell_address(fields["sender"] or fields["address"])
    if fields["deleted"]:
        return f"{head} [{heading.word('deleted')}]\n"
    shown_kind = "" if fields["message_type"] == "text" else f" [{kind}]"
    sender = export_table.sender_name(fields, chat.name)
    name = f" ({lines.escape_invisible(sender)})" if sender else ""
    text = lines.escape_invisible(
        (fields["message_text"] or fields["caption"] or "").replace("\r\n", "\n").strip(), keep="\n"
    )
    # Further lines are indented, so that none can be mistaken for another message.
    return f"{head}{shown_kind}{name}: {text}".replace("\n", "\n    ") + "\n"


_ARROWS = {"incoming": "<-", "outgoing": "->"}

FORMATS = {
    export_format.name: export_format
    for export_format in (
        ExportFormat("ndjson", "application/x-ndjson", lambda _: "", _ndjson, '{{"manifest":{}}}\n'.format),
        ExportFormat("csv", "text/csv; charset=utf-8", _csv_heading, _csv, "# {}\r\n".format),
        ExportFormat("txt", "text/plain; charset=utf-8", _transcript_heading, _transcript, "-- {}\n".format),
    )
}
