"""Encodes and decodes the hash `sak:writers`, in which each writer reports its state."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ingest.queue import contract


@dataclass(frozen=True, slots=True)
class WriterReport:
    """A field of the hash: the newest state reported by a writer, or by the process that adopted its files."""

    writer: str
    """The random id of one run of an ingest process: 32 hexadecimal digits. It is the name of the field."""
    seen_at: int
    """The time of the report in milliseconds since 1970 (UTC), by the clock of ingest's host."""
    number: int
    """The number of the newest batch that the writer acknowledged, or 0 before the first."""
    acknowledged_events: int
    """The number of events that the writer has acknowledged."""
    spooled_events: int
    """The number of events that its process still has to send to the stream."""
    host: str
    """The name of ingest's host."""
    ended: bool
    """True if the writer acknowledges no more events and everything that it acknowledged was sent to the stream."""


def to_value(report: WriterReport) -> bytes:
    """Return the value of the report's field."""
    value = {
        "seen_at": report.seen_at,
        "number": report.number,
        "upto": report.acknowledged_events,
        "spooled": report.spooled_events,
        "host": report.host,
        "ended": report.ended,
    }
    return json.dumps(value, separators=(",", ":")).encode()


def from_hash(fields: Mapping[bytes, bytes]) -> list[WriterReport]:
    """Return the reports in the hash. Fields that are not reports are left out."""
    reports = (_from_field(field, value) for field, value in fields.items())
    return [report for report in reports if report is not None]


def _from_field(field: bytes, value: bytes) -> WriterReport | None:
    writer = field.decode(errors="replace")
    try:
        parsed = json.loads(value)
        numbers = [parsed[name] for name in ("seen_at", "number", "upto", "spooled")]
        host, ended = parsed["host"], parsed["ended"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if not contract.WRITER_PATTERN.fullmatch(writer) or not all(_is_number(number) for number in numbers):
        return None
    return WriterReport(writer, *cast("list[int]", numbers), host=str(host), ended=ended is True)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63
