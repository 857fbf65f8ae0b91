"""Writes history the way the worker does, and asks the API the way a client does."""

import hashlib
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
import requests

from store.ingestion import apply
from store.model.batches import Batch, Event
from store.model.facts import Alias, Direction, Fact, Message, MessageType, Name, Outcome
from store.postgres import connections

TOKEN = "t" * 32
T0 = 1_750_000_000_000
"""A moment, in ms."""
PHONE = "919811000001"
LID = "200000000000011@lid"


@dataclass(slots=True)
class Client:
    """Sessions of `requests` that bear a token."""

    url: str
    http: requests.Session

    def get(self, path: str, **parameters: str | int | bool | None) -> requests.Response:
        return self.http.get(self.url + path, params={k: v for k, v in parameters.items() if v is not None}, timeout=30)

    def data(self, path: str, **parameters: str | int | bool | None) -> Any:  # noqa: ANN401 - JSON
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def post(self, path: str, body: object = None, **parameters: str) -> requests.Response:
        return self.http.post(self.url + path, json=body, params=parameters, timeout=30)


@dataclass(slots=True)
class History:
    """Each call is one committed transaction."""

    database_url: str
    writer: str = field(default_factory=lambda: uuid.uuid4().hex)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    upto: int = 0

    def tell(self, *facts: Fact, session: str = "s1", received_at: int = T0) -> None:
        """Each fact as an event of its own, together in one batch."""
        number = next(self.numbers)
        self.upto += len(facts)
        events = tuple(
            Event(
                index,
                received_at,
                f"{self.writer}{number}.{index}".encode(),
                hashlib.sha256(f"{self.writer}{number}.{index}".encode()).digest(),
                Outcome("stored", None, session, "message.received", T0, (fact,)),
            )
            for index, fact in enumerate(facts)
        )
        with connections.open(self.database_url, "test") as connection:
            apply.apply(connection, [Batch(self.writer, number, self.upto, events)])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()  # pyright: ignore[reportArgumentType] - a test's own

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement, values)  # pyright: ignore[reportArgumentType] - a test's own


def message(
    text: str | None = "hello",
    at: int = 0,
    *,
    id: str | None = None,  # noqa: A002 - what it is
    address: str = PHONE,
    direction: Direction = "incoming",
    type: MessageType = "text",  # noqa: A002 - what it is
    caption: str | None = None,
    sender: str | None = None,
) -> Message:
    """A message `at` milliseconds after T0."""
    return Message(
        address=address,
        direction=direction,
        message_id=id or f"M{uuid.uuid4().hex}",
        time=T0 + at,
        type=type,
        raw_type=None,
        content_state="complete" if type == "text" else "media_missing",
        text=text if type == "text" else None,
        caption=caption,
        sender=sender,
    )


def named(name: str, address: str = PHONE, at: int = 0) -> Name:
    return Name(address, name, 1, T0 + at)


def same_person(lid: str = LID, phone: str = PHONE, at: int = 0) -> Alias:
    return Alias(lid, phone, T0 + at)
