"""How an export is written: NDJSON, CSV or a plain transcript, each ending with a manifest."""

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
"""What a spreadsheet takes for the beginning of a formula. https://owasp.org/www-community/attacks/CSV_Injection"""


@dataclass(frozen=True, slots=True)
class ExportFormat:
    name: str
    media_type: str
    header: str
    encode_messages: Callable[[Iterable[str]], str]
    """Messages as JSON texts, written."""
    encode_manifest: Callable[[str], str]
    """The manifest's JSON as the last line."""


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
    """A cell that a spreadsheet shows and does not compute."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_PREFIXES) else value


def _transcript(messages: Iterable[str]) -> str:
    return "".join(_transcript_line(json.loads(message)) for message in messages)


def _transcript_line(fields: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(fields["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = "me" if fields["direction"] == "outgoing" else fields["sender_name"] or fields["sender"] or fields["address"]
    kind = "" if fields["message_type"] == "text" else f"[{fields['message_type']}] "
    what = "[deleted]" if fields["deleted"] else kind + (fields["message_text"] or fields["caption"] or "")
    # One message, one paragraph: further lines are indented, so that none can pose as another message.
    return f"[{at}] {who}: {what.strip()}".replace("\r", "").replace("\n", "\n    ") + "\n"


FORMATS = {
    one.name: one
    for one in (
        ExportFormat("ndjson", "application/x-ndjson", "", _ndjson, lambda manifest: f'{{"manifest":{manifest}}}\n'),
        ExportFormat("csv", "text/csv; charset=utf-8", ",".join(_CSV_COLUMNS) + "\r\n", _csv, lambda it: f"# {it}\r\n"),
        ExportFormat("txt", "text/plain; charset=utf-8", "", _transcript, lambda manifest: f"-- {manifest}\n"),
    )
}
