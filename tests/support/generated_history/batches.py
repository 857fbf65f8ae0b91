"""Long mixed histories: many of the small worlds in which convergence is tested, side by side."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

from ingest.queue import contract
from ingest.queue.contract import Batch
from store.ingestion import apply
from store.model.batches import Batch as Kept
from store.postgres.connections import Connection
from tests.support.generated_history import event_kinds, world
from tests.support.generated_history.dialects import Dice
from worker.drain import decoding
from worker.sak import parser

Copy = tuple[bytes, int]
"""A body and its receipt."""

WORLD: Final = 100
"""Events in one small world."""


def told(events: int, seed: int = 1, *, together: int = 40) -> Iterator[Batch]:
    """Batches of about `together` events as ingest makes them; in all `events` events and their further copies."""
    chance = random.Random(seed)
    waiting: list[Copy] = []
    number = upto = 0
    for index in range(events):
        for copy in _copies(chance, index // WORLD):
            waiting.insert(chance.randint(max(0, len(waiting) - 30), len(waiting)), copy)
        while len(waiting) >= together * 2 or (index == events - 1 and waiting):
            some, waiting = waiting[:together], waiting[together:]
            number, upto = number + 1, upto + len(some)
            yield batch(some, number=number, upto=upto, writer=f"{seed:032x}")


def batch(copies: Sequence[Copy], *, number: int = 1, upto: int | None = None, writer: str = "f" * 32) -> Batch:
    bodies, receipts = tuple(body for body, _ in copies), tuple(receipt for _, receipt in copies)
    return Batch(writer, number, len(copies) if upto is None else upto, receipts, bodies)


def read(batches: Sequence[Batch]) -> list[Kept]:
    """The batches as the worker reads them."""
    return [decoding.batch(contract.to_fields(one)) for one in batches]


def keep(connection: Connection, batches: Sequence[Batch]) -> None:
    """One transaction, as the worker makes it."""
    apply.apply(connection, read(batches))


def _copies(chance: random.Random, place: int) -> list[Copy]:
    dice = Dice(*chance.randbytes(8))
    _, body = event_kinds.made(dice, sessions=2, ids=24)
    for old, new in (
        (b'"ID', b'"W%dID' % place),
        (b"9198110000", b"9198%06d" % place),
        (b"2000000000000", b"2%012d" % place),
        (b"120363041234567", b"120363%09d" % place),
    ):
        body = body.replace(old, new)
    received_at = event_kinds.received(dice)
    receipts = [received_at]
    if parser.read(body).identifies_itself and chance.random() < 0.2:
        receipts.append(received_at + chance.choice((0, 1, world.HOUR, -world.HOUR, 25 * world.HOUR, 3 * world.DAY)))
    return [(body, receipt) for receipt in receipts]


_EVERYTHING: Final[tuple[LiteralString, ...]] = (
    *("batches", "corrections", "digests", "events", "event_keys", "parked", "sessions", "session_events", "keys"),
    *("chats", "whatsapp_messages", "marks", "aliases", "splits", "changes"),
)


def everything(connection: Connection) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of every table with the place and the transaction of its version: equal only if nobody wrote."""
    return {
        table: connection.execute(f"SELECT t.ctid, t.xmin, t::text FROM {table} AS t ORDER BY t.ctid").fetchall()
        for table in _EVERYTHING
    }
