"""Replays as tests run them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from ingest.queue.contract import Batch
from store.ingestion import apply
from store.model.facts import Message, Outcome
from store.postgres import connections
from store.postgres.connections import Connection
from store.replay import replay
from store.replay.parked_retry import Redrive
from store.replay.replay import Plan, Replay
from store.replay.report import Report
from store.replay.sources import Parser
from tests.support.faulty_parsers import Misreading, rightly
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.snapshot import Truth


def parser(read: Misreading) -> Parser:
    return Parser(read, read.__name__ + hex(id(read)), rejected="rejected_by_store", deadly="kills_worker")


def drain(database_url: str, batches: Sequence[Batch], read: Misreading, *, together: int = 6) -> None:
    """Keep the batches as a worker with this parser does."""
    with connections.open(database_url, "drain") as connection:
        for start in range(0, len(batches), together):
            keep(connection, batches[start : start + together], read)


def keep(connection: Connection, batches: Sequence[Batch], read: Misreading) -> None:
    """One transaction."""
    misread = [
        replace(batch, events=tuple(replace(event, outcome=read(event.body)) for event in batch.events))
        for batch in generated_history_batches.read(batches)
    ]
    apply.apply(connection, misread)


def replayed(database_url: str, read: Misreading, *, dry: bool = False, size: int = 100) -> Report:
    plan = Plan(parser(read), size=size, dry=dry)
    with replay.open(database_url, plan) as connection:
        job = Replay(connection, plan)
        while job.step():
            pass
    return job.report


def retried(database_url: str, read: Misreading, *, reason: str | None = None, dry: bool = False) -> Report:
    plan = Plan(parser(read), size=20, dry=dry)
    with replay.open(database_url, plan) as connection:
        job = Redrive(connection, plan, reason=reason)
        while job.step():
            pass
    return job.report


def history(database_url: str) -> Truth:
    """What the database says, but for what outlives a fix: chats without anything in them, and kinds of events seen."""
    with connections.open(database_url, "history") as connection:
        said = dict(snapshot.read(connection))
        said["ledger"] = Counter(
            connection.execute(
                """
                SELECT b.stored + c.stored, b.noise + c.noise, b.ping + c.ping, b.parked + c.parked,
                    b.forgotten + c.forgotten, b.size
                FROM (
                    SELECT sum(stored) AS stored, sum(noise) AS noise, sum(ping) AS ping, sum(parked) AS parked,
                        sum(forgotten) AS forgotten, sum(size) AS size
                    FROM batches
                ) AS b, (
                    SELECT coalesce(sum(stored), 0) AS stored, coalesce(sum(noise), 0) AS noise,
                        coalesce(sum(ping), 0) AS ping, coalesce(sum(parked), 0) AS parked,
                        coalesce(sum(forgotten), 0) AS forgotten
                    FROM corrections
                ) AS c
                """
            ).fetchall()
        )
        said["chats"] = Counter(
            connection.execute(
                """
                SELECT c.session_id, c.address, c.kind, head.address, c.name, c.last_timestamp, c.waiting_since,
                    c.unread, c.marked_unread, c.own_name, c.own_name_quality, c.own_name_at
                FROM chats AS c
                LEFT JOIN chats AS head ON head.chat_id = c.merged_into
                WHERE c.last_timestamp IS NOT NULL OR c.own_name IS NOT NULL OR c.merged_into IS NOT NULL
                """
            ).fetchall()
        )
        del said["kinds of events"]
    return said


def rows(database_url: str, query: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
        return cursor.fetchall() if cursor.description else []


def said(text: str, number: int = 1, **more: object) -> bytes:
    fields = {"event": "message.received", "sessionId": world.SESSIONS[0], "from": f"{world.ASHA}@s.whatsapp.net"}
    told = {"messageId": f"ID{number}", "timestamp": world.T0 // 1000 + number, "type": "conversation", "text": text}
    return world.encoded({**fields, **told, **more})


def misread_as(**wrong: object) -> Callable[[bytes], Outcome]:
    """A parser that is wrong about every message."""

    def read(body: bytes) -> Outcome:
        outcome = rightly(body)
        facts = tuple(replace(fact, **wrong) if isinstance(fact, Message) else fact for fact in outcome.facts)  # pyright: ignore[reportArgumentType] - columns of Message
        return replace(outcome, facts=facts)

    return read
