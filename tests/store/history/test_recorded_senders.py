"""The recorded requests of all kinds of senders result in one history, in any order, number and batches."""

import random

from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot
from tests.support.generated_history.database import HistoryDatabase, apply_step
from tests.support.generated_history.snapshot import Snapshot
from tests.support.senders import sender_payloads
from tests.support.senders.sender_requests import SENDERS

SHOWN = ("messages", "marks", "evidence", "chats", "sessions")
"""The tables that readers see. An event without an id or a time is named by its position in its batch."""
PER_BATCH = 10
RECEIVED = 1_790_000_000_000
"""A time after everything that the requests report."""
POSTS = [(f"{kind}:{kind}-shop", payload.body) for kind in SENDERS for payload in sender_payloads.load(kind)]


def history_after_requests(memory: HistoryDatabase, seed: int) -> Snapshot:
    """Return the history after each request has arrived twice in a random order."""
    posts = [(RECEIVED + number, *post) for number, post in enumerate(POSTS)] * 2
    random.Random(seed).shuffle(posts)
    memory.clear()
    for number, start in enumerate(range(0, len(posts), PER_BATCH), 1):
        step = posts[start : start + PER_BATCH]
        batch = generated_history_batches.make_batch([(body, at) for at, _, body in step], number=number)
        apply_step(memory.connection, [batch._replace(senders=tuple(sender for _, sender, _ in step))])
    rows = snapshot.read(memory.connection)
    return {name: rows[name] for name in SHOWN}


def test_recorded_requests_give_one_history_in_any_order(history_database: HistoryDatabase) -> None:
    """Acknowledgements, edits, deletions and reactions may come before or after their messages."""
    first, *others = (history_after_requests(history_database, seed) for seed in range(3))

    assert [snapshot.differences(first, other) for other in others] == [[], []]
