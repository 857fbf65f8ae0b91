"""Runs replays, and provides the parsers and snapshots for their tests."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from ingest.queue.contract import RawBatch
from store.ingestion import apply
from store.ledger.set_aside_events import SetAsideKind
from store.model.facts import Message, Outcome
from store.postgres import connections
from store.postgres.connections import Connection
from store.replay import redrive_requests, replay
from store.replay.redrive import Redrive
from store.replay.redrive_requests import RedriveSelection
from store.replay.replay import Replay, ReplayPlan
from store.replay.report import ReplayReport
from store.replay.sources import EventParser
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.snapshot import Snapshot
from tests.support.history.faulty_parsers import FaultyParser, parse_correctly


def replay_parser(parse: FaultyParser) -> EventParser:
    return EventParser(
        lambda _, body: parse(body),
        parse.__name__ + hex(id(parse)),
        rejected_reason="rejected_by_store",
        poison_reason="kills_worker",
    )


def store_batches(
    database_url: str, batches: Sequence[RawBatch], parse: FaultyParser, *, batches_per_transaction: int = 6
) -> None:
    """Store the batches as a worker with this parser does."""
    with connections.open(database_url, "drain") as connection:
        for start in range(0, len(batches), batches_per_transaction):
            store_transaction(connection, batches[start : start + batches_per_transaction], parse)


def store_transaction(connection: Connection, batches: Sequence[RawBatch], parse: FaultyParser) -> None:
    """Store the batches in one transaction."""
    misread = [
        replace(batch, events=tuple(replace(event, outcome=parse(event.body)) for event in batch.events))
        for batch in generated_history_batches.parse_batches(batches)
    ]
    apply.batches(connection, misread)


def run_replay(database_url: str, parse: FaultyParser, *, dry_run: bool = False, size: int = 100) -> ReplayReport:
    plan = ReplayPlan(replay_parser(parse), batch_size=size, dry_run=dry_run)
    with replay.open_connection(database_url) as connection:
        job = Replay(connection, plan)
        while job.step():
            pass
    return job.report


def run_redrive(
    database_url: str,
    parse: FaultyParser,
    *,
    reason: str | None = None,
    kind: SetAsideKind = "parked",
    dry_run: bool = False,
) -> ReplayReport:
    plan = ReplayPlan(replay_parser(parse), batch_size=20, dry_run=dry_run)
    with replay.open_connection(database_url) as connection:
        event_ids = redrive_requests.select_event_ids(connection, RedriveSelection(reason=reason, kind=kind))
        job = Redrive(connection, plan, event_ids)
        while job.step():
            pass
    return job.report


def comparable_snapshot(database_url: str) -> Snapshot:
    """Return the contents, without empty chats and known kinds of events, which a replay does not remove."""
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
                    FROM ledger_corrections
                ) AS c
                """
            ).fetchall()
        )
        said["chats"] = Counter(
            connection.execute(
                """
                SELECT c.session_id, c.address, c.kind, canonical.address, c.name, c.last_timestamp, c.waiting_since,
                    c.unread, c.marked_unread, c.own_name, c.own_name_quality, c.own_name_at
                FROM chats AS c
                LEFT JOIN chats AS canonical ON canonical.chat_id = c.merged_into
                WHERE c.last_timestamp IS NOT NULL OR c.own_name IS NOT NULL OR c.merged_into IS NOT NULL
                    -- Any chat of a further session of an account is merged.
                    AND (
                        canonical.session_id = c.session_id
                        OR EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.chat_id = c.chat_id)
                    )
                """
            ).fetchall()
        )
        del said["kinds of events"]
    return said


def fetch_rows(database_url: str, query: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(query, values)  # pyright: ignore[reportArgumentType] - a test's own
        return cursor.fetchall() if cursor.description else []


def text_event(text: str, number: int = 1, **more: object) -> bytes:
    fields = {"event": "message.received", "sessionId": world.SESSIONS[0], "from": f"{world.ASHA}@s.whatsapp.net"}
    told = {
        "messageId": f"ID{number}",
        "timestamp": world.BASE_TIME // 1000 + number,
        "type": "conversation",
        "text": text,
    }
    return world.encode_event({**fields, **told, **more})


def parser_with_wrong_fields(**wrong: object) -> Callable[[bytes], Outcome]:
    """Return a parser that is wrong about every message."""

    def read(body: bytes) -> Outcome:
        outcome = parse_correctly(body)
        facts = tuple(replace(fact, **wrong) if isinstance(fact, Message) else fact for fact in outcome.facts)  # pyright: ignore[reportArgumentType] - columns of Message
        return replace(outcome, facts=facts)

    return read
