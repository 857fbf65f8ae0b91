"""Generates long mixed histories from many small worlds side by side."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

from ingest.queue import contract
from ingest.queue.contract import RawBatch
from store.ingestion import apply
from store.model.batches import Batch as Kept
from store.postgres.connections import Connection
from tests.support.generated_history import event_kinds, world
from tests.support.generated_history.dialects import EventChoices
from worker.drain import decoding
from worker.senders.sak import parser

BodyReceipt = tuple[bytes, int]
"""A body and its time of receipt."""

EVENTS_PER_WORLD: Final = 100
"""The number of events in one small world."""


def generate_batches(events: int, seed: int = 1, *, batch_size: int = 40) -> Iterator[RawBatch]:
    """Yield batches of about `batch_size` events as ingest makes them, for `events` events and their further copies."""
    chance = random.Random(seed)
    waiting: list[BodyReceipt] = []
    number = upto = 0
    for index in range(events):
        for copy in _draw_copies(chance, index // EVENTS_PER_WORLD):
            waiting.insert(chance.randint(max(0, len(waiting) - 30), len(waiting)), copy)
        while len(waiting) >= batch_size * 2 or (index == events - 1 and waiting):
            some, waiting = waiting[:batch_size], waiting[batch_size:]
            number, upto = number + 1, upto + len(some)
            yield make_batch(some, number=number, upto=upto, writer=f"{seed:032x}")


def make_batch(
    copies: Sequence[BodyReceipt], *, number: int = 1, upto: int | None = None, writer: str = "f" * 32
) -> RawBatch:
    bodies, receipts = tuple(body for body, _ in copies), tuple(receipt for _, receipt in copies)
    return RawBatch(writer, number, len(copies) if upto is None else upto, receipts, bodies)


def parse_batches(batches: Sequence[RawBatch]) -> list[Kept]:
    """Return the batches as the worker decodes them."""
    return [decoding.batch(contract.to_fields(one)) for one in batches]


def store_batches(connection: Connection, batches: Sequence[RawBatch]) -> None:
    """Store the batches in one transaction, as the worker does."""
    apply.batches(connection, parse_batches(batches))


def _draw_copies(chance: random.Random, world_number: int) -> list[BodyReceipt]:
    dice = EventChoices(*chance.randbytes(8))
    _, body = event_kinds.build_event(dice, sessions=2, ids=24)
    for old, new in (
        (b'"ID', b'"W%dID' % world_number),
        (b"9198110000", b"9198%06d" % world_number),
        (b"2000000000000", b"2%012d" % world_number),
        (b"120363041234567", b"120363%09d" % world_number),
    ):
        body = body.replace(old, new)
    received_at = event_kinds.first_received_at(dice)
    receipts = [received_at]
    if parser.parse(body).is_self_identifying and chance.random() < 0.2:
        receipts.append(received_at + chance.choice((0, 1, world.HOUR, -world.HOUR, 25 * world.HOUR, 3 * world.DAY)))
    return [(body, receipt) for receipt in receipts]


_TABLES: Final[tuple[LiteralString, ...]] = (
    *(
        "batches",
        "ledger_corrections",
        "event_digests",
        "raw_events",
        "event_keys",
        "parked_events",
        "noise_events",
        "sessions",
        "session_events",
        "message_keys",
    ),
    *("chats", "whatsapp_messages", "message_updates", "lid_aliases", "changes"),
)


def table_versions(connection: Connection) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return each row of each table with its version's position and transaction, which change with every write."""
    return {
        table: connection.execute(f"SELECT t.ctid, t.xmin, t::text FROM {table} AS t ORDER BY t.ctid").fetchall()
        for table in _TABLES
    }
