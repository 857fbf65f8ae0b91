"""Stores a message like the receiver in the published guide: two statements and a commit on one connection."""

import json
from pathlib import Path
from typing import LiteralString, cast

import psycopg

OWN_NUMBER = "919800000000"


def create_tables(database_url: str) -> None:
    """Create the guide's tables in an empty database."""
    statements = Path(__file__).with_name("guide.sql").read_text()
    with psycopg.connect(database_url) as connection:
        connection.execute(cast("LiteralString", statements))


def store_message(database_url: str, body: bytes) -> None:
    """Store one message and its contact on a connection of its own, as a reader of the guide would."""
    event = json.loads(body)
    phone = event["from"].partition("@")[0]
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            INSERT INTO whatsapp_messages (
                message_id, session_id, direction, from_number, to_number, message_type, message_text, status, timestamp
            )
            VALUES (%s, %s, 'incoming', %s, %s, 'text', %s, 'received', %s)
            """,
            [event["messageId"], event["sessionId"], phone, OWN_NUMBER, event["text"], event["timestamp"] * 1000],
        )
        connection.execute(
            """
            INSERT INTO whatsapp_contacts (phone_number, name, last_message_at, unread_count)
            VALUES (%s, %s, now(), 1)
            ON CONFLICT (phone_number) DO UPDATE
            SET name = excluded.name, last_message_at = now(), unread_count = whatsapp_contacts.unread_count + 1
            """,
            [phone, event.get("pushName")],
        )


def count_messages(database_url: str) -> int:
    """Return the number of stored messages."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM whatsapp_messages").fetchone()
    return cast("int", row[0]) if row else 0
