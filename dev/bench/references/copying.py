"""COPY of already parsed rows into the guide's table: as fast as psycopg and PostgreSQL take messages at all."""

import time
from collections.abc import Sequence

import psycopg

from dev.bench.webhooks import Crowd
from store.facts import Message
from worker.sak import parser

Parsed = tuple[str, str, str, str, str, str, int]
PORTION = 10_000
"""Rows in one COPY, which is one transaction."""


def rows(crowd: Crowd, count: int) -> list[Parsed]:
    """What the parser makes of a crowd's webhooks."""
    found: list[Parsed] = []
    for number in range(count):
        outcome = parser.read(crowd.body(number)).outcome
        message = next(fact for fact in outcome.facts if isinstance(fact, Message))
        found.append(
            (
                message.message_id or "",
                outcome.session_id or "",
                message.direction,
                message.address,
                message.type,
                message.text or "",
                message.time or 0,
            )
        )
    return found


def seconds(database_url: str, parsed: Sequence[Parsed]) -> float:
    """How long it takes to have them committed."""
    begun = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start in range(0, len(parsed), PORTION):
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    """
                    COPY whatsapp_messages (
                        message_id, session_id, direction, from_number, message_type, message_text, timestamp
                    ) FROM STDIN
                    """
                ) as copy,
            ):
                for row in parsed[start : start + PORTION]:
                    copy.write_row(row)
    return time.perf_counter() - begun
