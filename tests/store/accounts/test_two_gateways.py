"""Two gateways on one number, each with its own gaps, result in the union of their messages without duplicates."""

import itertools
import json
import random
from collections.abc import Sequence
from typing import Final

import pytest

from ingest.queue.contract import RawBatch
from store.accounts import joining
from store.history.sessions import sessions
from store.reading.fragments import message_json
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase, apply_step
from tests.support.history import account_merging
from tests.support.senders import gateway_dialects, reported_conversations
from tests.support.senders.chat_actions import OURS
from tests.support.senders.gateway_dialects import SESSIONS
from tests.support.senders.reported_conversations import ShownMessage

KINDS: Final = tuple(gateway_dialects.ENCODERS)
PAIRS: Final = tuple(itertools.combinations(KINDS, 2))
START: Final = world.BASE_TIME // 1000
RECEIVED: Final = world.BASE_TIME + world.HOUR


def read(memory: HistoryDatabase) -> dict[str, ShownMessage]:
    rows = memory.connection.execute(
        f"""
        SELECT {message_json.MESSAGE_JSON}
        FROM whatsapp_messages AS m
        JOIN chats AS c USING (chat_id)
        JOIN chats AS canonical ON canonical.chat_id = c.canonical_chat_id
        WHERE NOT m.is_duplicate
        ORDER BY m.timestamp, m.message_id
        """,
        {"versions": True},
    ).fetchall()
    shown: dict[str, ShownMessage] = {}
    for row in rows:
        message = json.loads(str(row[0]))
        message_id = message["message_id"]
        assert message_id not in shown, f"{message_id} is shown twice"
        shown[message_id] = reported_conversations.as_shown(message)
    return shown


def join(memory: HistoryDatabase, kinds: Sequence[str]) -> None:
    connection = memory.connection
    with connection.transaction():
        numbers = sessions.ensure(connection, [SESSIONS[kind] for kind in kinds])
        joining.join(connection, sorted(numbers.values()), OURS)


def deliver(
    memory: HistoryDatabase, chance: random.Random, posts: Sequence[tuple[str, bytes]], kinds: Sequence[str]
) -> None:
    """Post everything in random order and some of it twice. The sessions join after a random transaction."""
    memory.clear()
    deliveries = [*posts, *chance.sample(posts, len(posts) // 3)]
    chance.shuffle(deliveries)
    joins_at = chance.randrange(len(deliveries) + 1)
    steps = [deliveries[at : at + 5] for at in range(0, len(deliveries), 5)]
    for number, step in enumerate(steps):
        if number == joins_at // 5:
            join(memory, kinds)
        apply_step(memory.connection, [batch_of(number + 1, step)])
    join(memory, kinds)
    account_merging.merge_all(memory.connection)


def batch_of(number: int, step: Sequence[tuple[str, bytes]]) -> RawBatch:
    batch = generated_history_batches.make_batch([(body, RECEIVED) for _, body in step], number=number)
    return batch._replace(senders=tuple(sender for sender, _ in step))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 4))])
@pytest.mark.parametrize("kinds", PAIRS, ids="+".join)
def test_two_gateways_give_the_union(history_database: HistoryDatabase, kinds: tuple[str, str], seed: int) -> None:
    """Meta has ids of its own, so its messages are stored in addition to those of another gateway."""
    chance = random.Random(f"{kinds} {seed}")
    posts, reported = reported_conversations.report(chance, kinds, (world.ASHA, world.GROUP), START)

    deliver(history_database, chance, posts, kinds)

    assert read(history_database) == reported_conversations.expected(reported)
    counted = history_database.connection.execute("SELECT DISTINCT outcome FROM event_digests").fetchall()
    assert counted == [("stored",)]
