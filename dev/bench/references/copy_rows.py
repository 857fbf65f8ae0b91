"""Copies parsed rows with COPY, which is the upper limit of psycopg and PostgreSQL.

It copies into our table of messages with its indexes, into all tables that contain rows of a message, and into the
guide's table with its four indexes.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import LiteralString, TypeAlias

import psycopg

from dev.bench.load.sample_webhooks import SampleSenders
from store.model.facts import Message
from worker.senders.sak import parser

ParsedRow: TypeAlias = tuple[object, ...]
ROWS_PER_COPY = 10_000
"""Rows in one COPY, which is one transaction."""

COPY_OUR_MESSAGES: LiteralString = """
COPY whatsapp_messages (
    key_id, chat_id, session_id, message_id, direction, from_number, message_type, raw_type, content_state,
    message_text, timestamp, time_source, receive_order, content_rank, content_time, content_tie, unread
) FROM STDIN
"""
COPY_GUIDE_MESSAGES: LiteralString = """
COPY whatsapp_messages (session_id, message_id, direction, from_number, message_type, message_text, timestamp)
FROM STDIN
"""


def build_rows(senders: SampleSenders, count: int) -> tuple[list[ParsedRow], list[ParsedRow]]:
    """Return the parsed rows of the senders' webhooks, for our table and for the guide's."""
    ours: list[ParsedRow] = []
    guides: list[ParsedRow] = []
    now = int(time.time() * 1000)
    for number in range(count):
        outcome = parser.parse(senders.body(number)).outcome
        message = next(fact for fact in outcome.facts if isinstance(fact, Message))
        identity = (outcome.session_id, message.message_id, message.direction, message.address, message.type)
        guides.append((*identity, message.text, message.time))
        tie = hash(message.message_id)
        arrived = (now + number // 8) * 65536
        content = (message.raw_type, message.content_state, message.text, message.time, "message")
        ours.append(
            (number + 1, number % senders.chat_count + 1, *identity, *content, arrived, 5, message.time, tie, True)
        )
    return ours, guides


COPY_ALL_TABLES: tuple[LiteralString, ...] = (
    "COPY batches (writer, number, size, upto, stored) FROM STDIN",
    "COPY event_digests (digest, received_at, outcome) FROM STDIN",
    "COPY message_keys (session_number, message_id) FROM STDIN",
    COPY_OUR_MESSAGES,
    "COPY raw_events (digest, received_at, key_id, body) FROM STDIN",
    "COPY changes (kind, session_id, chat_id, message) FROM STDIN",
)


def copy_all_seconds(database_url: str, parsed: Sequence[ParsedRow], bodies: Sequence[bytes]) -> float:
    """Return how long it takes to commit a message's rows in all tables except that of chats, in seconds."""
    now, writer = int(time.time() * 1000), uuid.uuid4()
    digests = [hashlib.sha256(body).digest() for body in bodies]
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), ROWS_PER_COPY):
            some = range(start, min(start + ROWS_PER_COPY, len(parsed)))
            rows: tuple[Iterable[ParsedRow], ...] = (
                ((writer, n + 1, 1, n + 1, 1) for n in some),
                ((digests[n], now, "stored") for n in some),
                ((1, parsed[n][3]) for n in some),
                (parsed[n] for n in some),
                ((digests[n], now, n + 1, bodies[n]) for n in some),
                (("message", parsed[n][2], parsed[n][1], n + 1) for n in some),
            )
            with connection.transaction(), connection.cursor() as cursor:
                for statement, table in zip(COPY_ALL_TABLES, rows, strict=True):
                    with cursor.copy(statement) as copy:
                        for row in table:
                            copy.write_row(row)
    return time.perf_counter() - begun


def copy_seconds(database_url: str, statement: LiteralString, parsed: Sequence[ParsedRow]) -> float:
    """Return how long it takes to commit the rows, in seconds."""
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), ROWS_PER_COPY):
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in parsed[start : start + ROWS_PER_COPY]:
                    copy.write_row(row)
    return time.perf_counter() - begun
