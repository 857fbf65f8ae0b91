"""Defines the contract between the two ends of the queue: names, the RQ job, and the format of a stream entry.

A stream entry is one batch: raw bodies that were received concurrently, under an identity that is assigned before the
first attempt to store it. The RQ job carries no data; it only makes a worker drain the stream.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import orjson

STREAM = "sak:events"
CONSUMER_GROUP = "workers"
WRITERS = "sak:writers"
"""The hash in which every writer reports its state once a second (`ingest/queue/writer_reports.py`)."""
REFUSED = "sak:refused"
"""The hash of refused signed webhooks. By code: their number, the last time in ms (`:at`), and a large size (`:bytes`).
"""
DATABASE = "sak:database"
"""The hash in which workers record the database that stores the stream's events (worker/drain/database_marker.py)."""
RQ_QUEUE = "drain"
RQ_JOB = "worker.jobs.drain"
RQ_JOB_TIMEOUT_SECONDS = 30
RQ_FAILURE_TTL_SECONDS = 300
"""The time in seconds for which RQ keeps a failed drain job. Its events are in the stream, not in the job."""
RQ_QUEUE_KEY = f"rq:queue:{RQ_QUEUE}"
RQ_INTERMEDIATE_KEY = f"{RQ_QUEUE_KEY}:intermediate"
"""Jobs that a worker has taken from the queue but not started."""
RQ_STARTED_KEY = f"rq:wip:{RQ_QUEUE}"
"""Running jobs, by the time at which RQ gives them up."""

WRITER_PATTERN = re.compile("[0-9a-f]{32}")
FORMAT_VERSION = 2
"""The version of an entry. A reader accepts every version up to its own. `tests/payloads/queue/` has one of each."""

SENDERS_VERSION = 2
"""The version of entries whose head contains senders. Entries without senders remain at version 1."""
DEFAULT_SENDER = ""
"""The sender of events at /whatsapp-webhook, which is SAK."""
SENDER_PATTERN = re.compile("[a-z0-9]{1,16}:[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""`kind:name`."""

ORDERS_PER_MILLISECOND = 65_536
"""The number of events that can have the same receipt and still be ordered."""


EntryFields: TypeAlias = Mapping[bytes, bytes]
"""The fields of a stream entry: `head` and `bodies`."""


class UnreadableEntryError(ValueError):
    """A stream entry is not a batch, because a newer version or another program wrote it."""


class RawBatch(NamedTuple):
    """The events that one writer acknowledges together, in order of arrival. It is a tuple for speed."""

    writer: str
    """The random id of one run of an ingest process: 32 hexadecimal digits."""
    number: int
    """The number of the batch, counted by its writer from 1 without gaps."""
    acknowledged_events: int
    """The number of events that the writer has acknowledged, including this batch."""
    received_at: tuple[int, ...]
    """The time of receipt of each event, in milliseconds since 1970 (UTC)."""
    bodies: tuple[bytes, ...]
    """The raw bodies, unchanged, as many as `received_at`. Both are empty in progress batches of older versions of
    ingest, which reported their position in this way.
    """
    spooled_events: int = 0
    """The number of events in the writer's spool when it created this batch, or 0 if the entry contains no number."""
    first_order: int = 0
    """The number of events in earlier batches that may have the same receipt as the first event. They precede it."""
    traceparents: tuple[str, ...] = ()
    """The traceparent of the batch, followed by those of its requests. Empty without tracing."""
    senders: tuple[str, ...] = ()
    """The sender of each event as `kind:name`, or '' for events at /whatsapp-webhook. Empty if all events came there.
    """

    @property
    def name(self) -> str:
        """`writer:number`, as in acknowledgements, logs and the ledger."""
        return f"{self.writer}:{self.number}"


def to_fields(batch: RawBatch) -> dict[bytes, bytes]:
    """Return the batch as the two fields of a stream entry."""
    head: dict[str, object] = {
        "v": SENDERS_VERSION if batch.senders else 1,
        "writer": batch.writer,
        "number": batch.number,
        "upto": batch.acknowledged_events,
        "receipts": batch.received_at,
        "sizes": [len(body) for body in batch.bodies],
        "spooled": batch.spooled_events,
    }
    # Older readers ignore these.
    if batch.first_order:
        head["order"] = batch.first_order
    if batch.traceparents:
        head["trace"] = batch.traceparents
    if batch.senders:
        head["senders"] = batch.senders
    return {b"head": json.dumps(head, separators=(",", ":")).encode(), b"bodies": b"".join(batch.bodies)}


def from_fields(fields: EntryFields) -> RawBatch:
    """Return the batch in a stream entry. Raises UnreadableEntryError for any other entry.

    Only the parts that identify and delimit the events are required. Any other part of the head may be absent or wrong.
    """
    try:
        head = _decode_head(fields[b"head"])
        blob = fields[b"bodies"]
        version = _parse_number(head["v"])
        _check_version(version)
        bodies: list[bytes] = []
        start = 0
        for size in map(_parse_number, head["sizes"]):
            bodies.append(blob[start : start + size])
            start += size
        received_at = tuple(map(_parse_number, head["receipts"]))
        spooled_events = _parse_optional_number(head.get("spooled", 0))
        first_order = _parse_optional_number(head.get("order", 0)) % ORDERS_PER_MILLISECOND
        senders = tuple(map(_parse_sender, head["senders"])) if version >= SENDERS_VERSION else ()
        # Arguments by position take half of the time.
        batch = RawBatch(
            _parse_writer(head["writer"]),
            _parse_number(head["number"]),
            _parse_number(head["upto"]),
            received_at,
            tuple(bodies),
            spooled_events,
            first_order,
            (),  # traceparents
            senders,
        )
    except UnreadableEntryError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableEntryError(f"entry is not a batch: {type(error).__name__}") from error
    if start != len(blob) or len(batch.received_at) != len(bodies) or not batch.number:
        raise UnreadableEntryError("entry is not a batch: sizes and bodies disagree")
    if batch.senders and len(batch.senders) != len(bodies):
        raise UnreadableEntryError("entry is not a batch: senders and bodies disagree")
    return batch


def traceparents(fields: EntryFields) -> tuple[str, ...]:
    """Return the entry's traceparents. A malformed `trace` counts as none and never makes the entry unreadable."""
    try:
        trace = json.loads(fields[b"head"])["trace"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()
    return tuple(str(each) for each in cast("list[object]", trace)) if isinstance(trace, list) else ()


def _decode_head(head: bytes) -> Any:  # noqa: ANN401 - JSON of any program
    try:
        return orjson.loads(head)
    except orjson.JSONDecodeError:
        return json.loads(head)  # json reads NaN, which an optional fact may be


def _check_version(version: int) -> None:
    if not 1 <= version <= FORMAT_VERSION:
        raise UnreadableEntryError(f"entry of version {version}; this worker reads versions up to {FORMAT_VERSION}")


def _parse_number(value: object) -> int:
    """Return a number that the ledger can store: not negative, and within bigint."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value


def _parse_optional_number(value: object) -> int:
    try:
        return _parse_number(value)
    except ValueError:
        return 0


def _parse_sender(value: object) -> str:
    if not isinstance(value, str) or (value and not SENDER_PATTERN.fullmatch(value)):
        raise ValueError
    return value


def _parse_writer(value: object) -> str:
    if not isinstance(value, str) or not WRITER_PATTERN.fullmatch(value):
        raise ValueError
    return value
