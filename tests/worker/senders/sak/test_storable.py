"""PostgreSQL stores and returns every value that the parser derives."""

from dataclasses import asdict, fields

import psycopg
from psycopg.types.json import Jsonb

from dev.checkout import ROOT
from store.model.facts import Outcome
from worker.senders.sak import parser

PAYLOADS = ROOT / "tests" / "payloads"
BODIES = sorted(path for path in PAYLOADS.glob("*/*.*") if not path.name.endswith(".expected.json"))


def test_every_payload_s_outcome_survives_postgresql(database_url: str) -> None:
    """A value that cannot be inserted makes a batch fail. One that cannot be read back breaks every page with it."""
    outcomes = [parser.parse(path.read_bytes()).outcome for path in BODIES]
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE derived (number integer, whole jsonb, words text[], times bigint[])")
        cursor.executemany(
            "INSERT INTO derived (number, whole, words, times) VALUES (%s, %s, %s, %s)",
            [
                (number, Jsonb(asdict(outcome)), words(outcome), times(outcome))
                for number, outcome in enumerate(outcomes)
            ],
        )
        cursor.execute("SELECT words, times FROM derived ORDER BY number")
        found = cursor.fetchall()
        cursor.execute("SELECT whole FROM derived WHERE to_timestamp((whole->>'time')::bigint / 1000.0) IS NOT NULL")
        dated = cursor.fetchall()

    assert found == [(words(outcome), times(outcome)) for outcome in outcomes]
    assert len(dated) == sum(outcome.time is not None for outcome in outcomes)


def words(outcome: Outcome) -> list[str]:
    values = [outcome.reason, outcome.session_id, outcome.event_type]
    values += [getattr(fact, field.name) for fact in outcome.facts for field in fields(fact)]
    return [value for value in values if isinstance(value, str)]


def times(outcome: Outcome) -> list[int]:
    values = [outcome.time, *(fact.time for fact in outcome.facts)]
    return [time for time in values if time is not None]
