"""Formats exports as NDJSON, CSV or a plain transcript; each ends with a manifest."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_CSV_COLUMNS = (
    "id", "session_id", "address", "message_id", "timestamp", "direction", "from_number", "to_number", "sender",
    "sender_name", "message_type", "message_text", "caption", "media_url", "file_name", "status", "reply_to", "edited",
    "deleted", "created_at",
)  # fmt: skip
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that start a formula in a spreadsheet. https://owasp.org/www-community/attacks/CSV_Injection"""


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
    return "".join(f"{message}\n" for message in messages)


def _csv(messages: Iterable[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for message in messages:
        fields: dict[str, Any] = json.loads(message)
        writer.writerow(_escape_formula(fields.get(name)) for name in _CSV_COLUMNS)
    return text.getvalue()


def _escape_formula(value: object) -> object:
    """A cell that a spreadsheet does not evaluate."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_PREFIXES) else value


def _transcript(messages: Iterable[str]) -> str:
    return "".join(_transcript_line(json.loads(message)) for message in messages)


def _transcript_line(fields: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(fields["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    sender = fields["sender_name"] or fields["sender"] or fields["address"]
    author = "me" if fields["direction"] == "outgoing" else sender
    kind = "" if fields["message_type"] == "text" else f"[{fields['message_type']}] "
    content = "[deleted]" if fields["deleted"] else kind + (fields["message_text"] or fields["caption"] or "")
    # Further lines are indented, so that none can pass for another message.
    return f"[{at}] {author}: {content.strip()}".replace("\r", "").replace("\n", "\n    ") + "\n"


FORMATS = {
    export_format.name: export_format
    for export_format in (
        ExportFormat("ndjson", "application/x-ndjson", "", _ndjson, '{{"manifest":{}}}\n'.format),
        ExportFormat("csv", "text/csv; charset=utf-8", ",".join(_CSV_COLUMNS) + "\r\n", _csv, "# {}\r\n".format),
        ExportFormat("txt", "text/plain; charset=utf-8", "", _transcript, "-- {}\n".format),
    )
}
