"""Writes history as the worker does, and reads the API as a client does."""

import hashlib
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
import requests

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Direction, DisplayName, Fact, LidAlias, Message, MessageType, Outcome
from store.postgres import connections

API_TOKEN = "made-up-token-of-the-tests"
BASE_TIME = 1_750_000_000_000
"""The time of the first message, in ms."""
SENDER_PHONE = "919811000001"
SENDER_LID = "200000000000011@lid"


@dataclass(slots=True)
class ApiClient:
    """An HTTP client with a token and persistent connections."""

    url: str
    http: requests.Session

    def get(self, path: str, **parameters: str | int | bool | None) -> requests.Response:
        return self.http.get(self.url + path, params={k: v for k, v in parameters.items() if v is not None}, timeout=30)

    def get_data(self, path: str, **parameters: str | int | bool | None) -> Any:  # noqa: ANN401 - JSON
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def current_cursor(self) -> str:
        """Return the position in the change feed after all committed changes."""
        return self.get_data("/api/changes")["cursor"]

    def post(self, path: str, body: object = None, **parameters: str) -> requests.Response:
        return self.http.post(self.url + path, json=body, params=parameters, timeout=30)


@dataclass(slots=True)
class HistoryWriter:
    """A writer of history. Each call commits one transaction."""

    database_url: str
    writer: str = field(default_factory=lambda: uuid.uuid4().hex)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    event_count: int = 0

    def store(self, *facts: Fact, session: str = "s1", received_at: int | None = None) -> None:
        """Store each fact as an event of its own in one batch, which is received at the time of the last fact."""
        number = next(self.numbers)
        received_at = received_at or max([BASE_TIME, *(fact.time for fact in facts if fact.time is not None)])
        self.event_count += len(facts)
        events = tuple(
            Event(
                index,
                received_at,
                f"{self.writer}{number}.{index}".encode(),
                hashlib.sha256(f"{self.writer}{number}.{index}".encode()).digest(),
                Outcome("stored", None, session, "message.received", BASE_TIME, (fact,)),
            )
            for index, fact in enumerate(facts)
        )
        with connections.open(self.database_url, "test") as connection:
            apply.batches(connection, [Batch(self.writer, number, self.event_count, events)])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType] - a test's own

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own


def message_fact(
    text: str | None = "hello",
    at: int = 0,
    *,
    id: str | None = None,  # noqa: A002 - what it is
    address: str = SENDER_PHONE,
    direction: Direction = "incoming",
    type: MessageType = "text",  # noqa: A002 - what it is
    caption: str | None = None,
    sender: str | None = None,
) -> Message:
    """Return a message `at` milliseconds after BASE_TIME."""
    return Message(
        address=address,
        direction=direction,
        message_id=id or f"M{uuid.uuid4().hex}",
        time=BASE_TIME + at,
        type=type,
        raw_type=None,
        content_state="complete" if type == "text" else "media_missing",
        text=text if type == "text" else None,
        caption=caption,
        sender=sender,
    )


def name_fact(name: str, address: str = SENDER_PHONE, at: int = 0) -> DisplayName:
    return DisplayName(address, name, 1, BASE_TIME + at)


def alias_fact(lid: str = SENDER_LID, phone: str = SENDER_PHONE, at: int = 0) -> LidAlias:
    return LidAlias(lid, phone, BASE_TIME + at)
