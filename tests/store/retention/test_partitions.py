"""Tests the monthly partitions of raw bodies, which are created in time and read by index."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from store.history.events import raw_events
from store.postgres import connections
from store.postgres.errors import TransientError
from store.reading import operations, raw_tail
from store.replay import retractions, sources
from store.retention import partitions
from tests.support.history.faulty_parsers import parse_correctly
from tests.support.history.partition_names import month_ms, partition_name
from tests.support.history.replaying import replay_parser

COPY = "COPY raw_events (digest, received_at, key_id, body) FROM STDIN (FORMAT binary)"
PLACES = "SELECT e.event_id, e.tableoid::regclass::text FROM raw_events AS e ORDER BY e.event_id"


def write(connection: connections.Connection, *receipts: int) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(["bytea", "int8", "int8", "bytea"])
        for receipt in receipts:
            copy.write_row((b"%d" % receipt, receipt, None, b"{}"))


def test_coming_months_have_partitions_and_any_worker_makes_them(database_url: str) -> None:
    """Several workers may notice in the same second that a month is missing."""

    def make(number: int) -> list[str]:
        with connections.open(database_url, f"worker {number}") as connection:
            return partitions.create_missing(connection)

    with ThreadPoolExecutor(4) as pool:
        made = [made for some in pool.map(make, range(4)) for made in some]

    with connections.open(database_url, "test") as connection:
        assert made == [partition_name(2)]
        assert partitions.missing(connection) == []
        assert [one.name for one in partitions.list_monthly(connection)] == [
            partition_name(0),
            partition_name(1),
            partition_name(2),
        ]
        write(connection, month_ms(-1), month_ms(2) - 1, month_ms(2), month_ms(3) - 1, month_ms(3))
        assert [place for _, place in connection.execute(PLACES)] == [
            *("raw_events_default", partition_name(1), partition_name(2), partition_name(2), "raw_events_default")
        ]


def test_rows_received_before_their_partition_move_into_it(database_url: str) -> None:
    """No event waits for a partition, and once it exists, the month can be dropped as a whole."""
    with connections.open(database_url, "test") as connection:
        write(connection, month_ms(2), month_ms(2) + 1, month_ms(9))

        assert partitions.create_missing(connection) == [partition_name(2)]
        assert connection.execute(PLACES).fetchall() == [
            (1, partition_name(2)),
            (2, partition_name(2)),
            (3, "raw_events_default"),
        ]


def test_a_month_with_many_strays_stays_among_the_rest(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers wait while bodies are moved, so millions of bodies are not moved."""
    monkeypatch.setattr(partitions, "MAX_STRAYS", 2)
    with connections.open(database_url, "test") as connection:
        write(connection, month_ms(2), month_ms(2) + 1, month_ms(2) + 2)

        assert partitions.create_missing(connection) == []
        assert {place for _, place in connection.execute(PLACES)} == {"raw_events_default"}


def test_a_partition_waits_only_briefly_for_readers(database_url: str) -> None:
    """A dump reads all tables for an hour. Until then, events of a new month stay in the default partition."""
    with connections.open(database_url, "test") as connection, psycopg.connect(database_url) as dump:
        dump.execute("SELECT FROM raw_events LIMIT 1")

        with pytest.raises(TransientError):
            partitions.create_missing(connection)

        dump.rollback()
        assert partitions.create_missing(connection) == [partition_name(2)]


def test_no_query_reads_all_bodies(database_url: str) -> None:
    """With one partition per month, a query without an index scans years."""
    with connections.open(database_url, "test") as connection:
        partitions.create_missing(connection)
        connection.execute(
            """
            INSERT INTO raw_events (digest, received_at, key_id, body)
            SELECT sha256(n::text::bytea), (%(receipts)s::bigint[])[n %% 4 + 1], n / 2,
                convert_to(repeat('x', 1000), 'UTF8')
            FROM generate_series(1, 12000) AS n
            """,
            {"receipts": [month_ms(0), month_ms(1), month_ms(2), month_ms(9)]},
        )
        connection.execute(
            "INSERT INTO event_digests (digest, received_at, outcome) SELECT digest, received_at, 'stored' "
            "FROM raw_events"
        )
        connection.execute(
            "INSERT INTO parked_events (digest, event_id, reason, received_at)"
            " SELECT digest, event_id, 'x', received_at FROM raw_events WHERE event_id % 100 = 0"
        )
        connection.execute("ANALYZE")

    with connections.open(database_url, "test") as connection:
        before = scans(connection)
        connection.execute(
            "INSERT INTO chats (session_id, address, kind, own_name, own_name_digest)"
            " SELECT 'x', encode(d.digest, 'hex'), 'phone', 'x', d.digest FROM event_digests AS d LIMIT 10"
        )
        assert sources.last_visible_event(connection) == 12000
        assert len(sources.page_of_ids(connection, 5000, 12000, 500)) == 500
        assert len(sources.first_within_limit(connection, range(1, 300))) == 299
        assert sorted(raw_events.event_ids_by_key(connection, [7])[7]) == [14, 15]
        assert len(sources.load(connection, range(100, 400), replay_parser(parse_correctly))) == 300
        assert raw_tail.event_id_before_last(connection, 10) == 11990
        assert len(raw_tail.RawTail(11950).poll(connection)) == 50
        assert len(operations.parked_events(connection, None, None, 20)[0]) == 20
        connection.execute("UPDATE raw_events SET key_id = key_id WHERE event_id = 77")
        assert sum(len(retractions.find_suspects(connection, n, n + 500)) for n in range(0, 12000, 500)) == 10

        assert scans(connection) == before


def scans(connection: connections.Connection) -> object:
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname LIKE 'raw_events%'"
    ).fetchone()
    assert row is not None
    return row[0]
