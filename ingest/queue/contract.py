"""The contract between the two ends of the queue: names, and the shape of a stream entry.

One stream entry is one batch: the raw bodies that were in flight together, with the identity that the batch got once,
before its first attempt. The RQ job carries nothing; it only says that the stream is worth a look.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

STREAM = "sak:events"
GROUP = "workers"
QUEUE = "drain"
JOB = "worker.jobs.drain"

WRITER = re.compile("[0-9A-Za-z_-]{1,64}")
FORMAT = 1
"""The version of an entry. A reader takes every version up to its own; `tests/payloads/queue/` keeps one of each."""


class UnreadableEntryError(ValueError):
    """A stream entry is not a batch: written by a newer version, or not by us."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events that one writer acknowledged together, in the order of their arrival."""

    writer: str
    """The random id that one ingest process gave itself: 32 hexadecimal digits."""
    number: int
    """Counts the writer's batches from 1, without gaps."""
    upto: int
    """How many events the writer has acknowledged, this batch included."""
    receipts: tuple[int, ...]
    """When each event was received, in milliseconds since 1970 (UTC)."""
    bodies: tuple[bytes, ...]
    """The raw bodies, untouched; as many as receipts. Both are empty in a batch that only tells how far a writer is."""
    spooled: int = 0
    """How many events were waiting in the writer's spool when it made this batch."""
    trace: tuple[str, ...] = ()
    """Where the batch is in its trace, then its requests' places in theirs; empty where nobody wants traces."""


def to_fields(batch: Batch) -> dict[bytes, bytes]:
    """The batch as the two fields of a stream entry."""
    head: dict[str, object] = {
        "v": FORMAT,
        "writer": batch.writer,
        "number": batch.number,
        "upto": batch.upto,
        "receipts": batch.receipts,
        "sizes": [len(body) for body in batch.bodies],
        "spooled": batch.spooled,
    }
    if batch.trace:
        head["trace"] = batch.trace  # who does not know it does not look at it
    return {b"head": json.dumps(head, separators=(",", ":")).encode(), b"bodies": b"".join(batch.bodies)}


def from_fields(fields: Mapping[bytes, bytes]) -> Batch:
    """The batch that a stream entry holds; raises UnreadableEntryError for anything else."""
    try:
        head = json.loads(fields[b"head"])
        blob = fields[b"bodies"]
        _check_version(_number(head["v"]))
        bodies: list[bytes] = []
        start = 0
        for size in map(_number, head["sizes"]):
            bodies.append(blob[start : start + size])
            start += size
        batch = Batch(
            writer=_writer(head["writer"]),
            number=_number(head["number"]),
            upto=_number(head["upto"]),
            receipts=tuple(map(_number, head["receipts"])),
            bodies=tuple(bodies),
            spooled=_number(head.get("spooled", 0)),
        )
    except UnreadableEntryError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableEntryError(f"entry is not a batch: {type(error).__name__}") from error
    if start != len(blob) or len(batch.receipts) != len(bodies) or not batch.number:
        raise UnreadableEntryError("entry is not a batch: sizes and bodies disagree")
    return batch


def trace_of(fields: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """The entry's `trace`, as far as it is one: nothing that an entry tells of it makes it unreadable."""
    try:
        trace = json.loads(fields[b"head"])["trace"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()
    return tuple(str(each) for each in cast("list[object]", trace)) if isinstance(trace, list) else ()


def _check_version(version: int) -> None:
    if not 1 <= version <= FORMAT:
        raise UnreadableEntryError(f"entry of version {version}, and this worker reads up to {FORMAT}")


def _number(value: object) -> int:
    """What the ledger can hold: a negative size or a number beyond bigint is nobody's batch."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError
    return value


def _writer(value: object) -> str:
    if not isinstance(value, str) or not WRITER.fullmatch(value):
        raise ValueError
    return value
