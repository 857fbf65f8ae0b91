"""COPY of already parsed rows, which is as fast as psycopg and PostgreSQL take messages at all.

Into the history's own table of messages, with the indexes that readers need; and into the guide's, with its four.
"""

import time
from collections.abc import Sequence
from typing import LiteralString, TypeAlias

import psycopg

from dev.bench.webhooks import Crowd
from store.facts import Message
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


def seconds(database_url: str, statement: LiteralString, parsed: Sequence[Parsed]) -> float:
    """How long it takes to have them committed."""
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), PORTION):
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in parsed[start : start + PORTION]:
                    copy.write_row(row)
    return time.perf_counter() - begun
