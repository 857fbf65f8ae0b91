"""Records the state of the stream once a second, so that the ledger can distinguish waiting from lost events."""

from collections.abc import Iterable

from store.ledger import writers
from store.ledger.writers import Heartbeat, StreamPosition
from store.postgres import errors
from store.postgres.connections import Connection


def record(  # noqa: PLR0913 - one observation
    connection: Connection,
    *,
    stream_length: int,
    oldest_received_at: int | None,
    positions: Iterable[StreamPosition],
    heartbeats: Iterable[Heartbeat] = (),
    unreadable: int = 0,
    drain_failure: str | None = None,
) -> None:
    """Record one observation of the stream and its writers in one transaction.

    `stream_length` is the number of entries that are not committed, `oldest_received_at` the time in ms when the oldest
    of them was appended, `unreadable` the number of entries that are set aside, and `drain_failure` the reason why the
    last drain failed.
    """
    with errors.translated(), connection.transaction():
        writers.record_heartbeats(connection, heartbeats)
        writers.record_positions(connection, positions)
        connection.execute(
            """
            INSERT INTO stream_status AS p (as_of, length, oldest_at, empty_since, unreadable, drain_failure)
            VALUES (now(), %(length)s, to_timestamp(%(oldest_at)s / 1000.0), CASE WHEN %(length)s = 0 THEN now() END,
                %(unreadable)s, %(drain_failure)s)
            ON CONFLICT (singleton) DO UPDATE
            SET as_of = now(), length = excluded.length, oldest_at = excluded.oldest_at,
                empty_since = CASE WHEN excluded.length = 0 THEN coalesce(p.empty_since, now()) END,
                unreadable = excluded.unreadable, drain_failure = excluded.drain_failure
            """,
            {
                "length": stream_length,
                "oldest_at": oldest_received_at,
                "unreadable": unreadable,
                "drain_failure": drain_failure,
            },
        )
