"""Formats exports as NDJSON, CSV or a plain transcript; each ends with a manifest."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from store.model import lines

_CSV_COLUMNS = (
    "id", "session_id", "address", "message_id", "timestamp", "direction", "from_number", "to_number", "sender",
    "sender_name", "message_type", "message_text", "caption", "media_url", "file_name", "status", "reply_to", "edited",
    "deleted", "created_at",
)  # fmt: skip
_FORMULA_START = re.compile("(^|[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029])(\\s*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
"""The start of a formula in a cell, and in the cells that a spreadsheet makes of one if it splits at another separator.
https://owasp.org/www-community/attacks/CSV_Injection"""
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads UTF-8 as the code page of its country."""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    name: str
    media_type: str
    header: str
    encode_messages: Callable[[Iterable[str]], str]
    """Formats messages, which are given as JSON."""
    encode_manifest: Callable[[str], str]
    """Formats the manifest, which is given as JSON, as the last line."""


def _ndjson(messages: Iterable[str]) -> str:
    return "".join(f"{lines.escape_json(message)}\n" for message in messages)


def _csv(messages: Iterable[str]) -> str:
    return _csv_rows([fields.get(name) for name in _CSV_COLUMNS] for fields in map(json.loads, messages))


def _csv_rows(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(map(_escape_formula, row) for row in rows)
    return text.getvalue()


def _escape_formula(value: object) -> object:
    """A cell that a spreadsheet does not evaluate."""
    return _FORMULA_START.sub(r"\1\2'", value) if isinstance(value, str) else value


def _transcript(messages: Iterable[str]) -> str:
    return "".join(_transcript_line(json.loads(message)) for message in messages)


def _transcript_line(fields: dict[str, Any]) -> str:
    """Time, direction, address, type and name before the text, so that neither a name nor a text can pass for them."""
    at = datetime.fromtimestamp(fields["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    direction = "->" if fields["direction"] == "outgoing" else "<-"
    head = f"[{at}] {direction} {fields['sender'] or fields['address']}"
    if fields["deleted"]:
        return f"{head} [deleted]\n"
    kind = "" if fields["message_type"] == "text" else f" [{fields['message_type']}]"
    name = f" ({lines.show(fields['sender_name'])})" if fields["sender_name"] else ""
    text = lines.show((fields["message_text"] or fields["caption"] or "").replace("\r\n", "\n").strip(), keep="\n")
    # Further lines are indented, so that none can pass for another message.
    return f"{head}{kind}{name}: {text}".replace("\n", "\n    ") + "\n"


FORMATS = {
    export_format.name: export_format
    for export_format in (
        ExportFormat("ndjson", "application/x-ndjson", "", _ndjson, '{{"manifest":{}}}\n'.format),
        ExportFormat(
            "csv", "text/csv; charset=utf-8", _BYTE_ORDER_MARK + _csv_rows([_CSV_COLUMNS]), _csv, "# {}\r\n".format
        ),
        ExportFormat("txt", "text/plain; charset=utf-8", "", _transcript, "-- {}\n".format),
    )
}
