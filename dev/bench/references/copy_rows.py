"""COPY of already parsed rows, which is as fast as psycopg and PostgreSQL take messages at all.

Into the history's own table of messages, with the indexes that readers need; into all the tables that a message has
rows in; and into the guide's, with its four indexes.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import LiteralString, TypeAlias

import psycopg

from dev.bench.sample_webhooks import Crowd
from store.model.facts import Message
from worker.sak import parser

Parsed: TypeAlias = tuple[object, ...]
PORTION = 10_000
"""Rows in one COPY, which is one transaction."""

OURS: LiteralString = """
COPY whatsapp_messages (
    key_id, chat_id, session_id, message_id, direction, from_number, message_type, raw_type, content_state,
    message_text, timestamp, time_source, arrived, content_rank, content_time, content_tie, unread
) FROM STDIN
"""
GUIDES: LiteralString = """
COPY whatsapp_messages (session_id, message_id, direction, from_number, message_type, message_text, timestamp)
FROM STDIN
"""


def rows(crowd: Crowd, count: int) -> tuple[list[Parsed], list[Parsed]]:
    """What the parser makes of a crowd's webhooks, for our table and for the guide's."""
    ours: list[Parsed] = []
    guides: list[Parsed] = []
    now = int(time.time() * 1000)
    for number in range(count):
        outcome = parser.read(crowd.body(number)).outcome
        message = next(fact for fact in outcome.facts if isinstance(fact, Message))
        said = (outcome.session_id, message.message_id, message.direction, message.address, message.type)
        guides.append((*said, message.text, message.time))
        tie = hash(message.message_id)
        arrived = (now + number // 8) * 65536
        content = (message.raw_type, message.content_state, message.text, message.time, "message")
        ours.append((number + 1, number % crowd.chats + 1, *said, *content, arrived, 5, message.time, tie, True))
    return ours, guides


ALL: tuple[LiteralString, ...] = (
    "COPY batches (writer, number, size, upto, stored) FROM STDIN",
    "COPY digests (digest, received_at, outcome) FROM STDIN",
    "COPY keys (session, message_id) FROM STDIN",
    OURS,
    "COPY events (digest, received_at, key_id, body) FROM STDIN",
    "COPY changes (kind, session_id, chat_id, message) FROM STDIN",
)


def seconds_of_all(database_url: str, parsed: Sequence[Parsed], bodies: Sequence[bytes]) -> float:
    """How long it takes to have the rows committed that a message has in each table but that of chats."""
    now, writer = int(time.time() * 1000), uuid.uuid4()
    digests = [hashlib.sha256(body).digest() for body in bodies]
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), PORTION):
            some = range(start, min(start + PORTION, len(parsed)))
            rows: tuple[Iterable[Parsed], ...] = (
                ((writer, n + 1, 1, n + 1, 1) for n in some),
                ((digests[n], now, "stored") for n in some),
                ((1, parsed[n][3]) for n in some),
                (parsed[n] for n in some),
                ((digests[n], now, n + 1, bodies[n]) for n in some),
                (("message", parsed[n][2], parsed[n][1], n + 1) for n in some),
            )
            with connection.transaction(), connection.cursor() as cursor:
                for statement, table in zip(ALL, rows, strict=True):
                    with cursor.copy(statement) as copy:
                        for row in table:
                            copy.write_row(row)
    return time.perf_counter() - begun


def seconds(database_url: str, statement: LiteralString, parsed: Sequence[Parsed]) -> float:
    """How long it takes to have them committed."""
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), PORTION):
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in parsed[start : start + PORTION]:
                    copy.write_row(row)
    return time.perf_counter() - begun
