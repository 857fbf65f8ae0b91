"""Migrations: numbered `.sql` files, forward only, each once, one migrator at a time, while others read and write."""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import cast

from store.postgres import advisory_locks, connections, errors, lock_retry

MIGRATIONS_FOLDER = Path(__file__).parent.parent / "migrations"
LOCK_WAIT = 300.0
"""Seconds for which a migration tries to get its locks, and for which another migrator is waited for."""
_SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
"""Whoever waits for a table's strongest lock has everybody else wait behind it: better given up and tried again."""
_FIRST_RETRY_DELAY, _MAX_RETRY_DELAY = 0.1, 5.0
_NON_TRANSACTIONAL = b"-- outside a transaction"
"""The first line of a file whose statements each run by themselves, as CREATE INDEX CONCURRENTLY must."""
_CONCURRENT_INDEX = re.compile(
    r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)|DROP INDEX CONCURRENTLY IF EXISTS \w+"
)


class UnknownMigrationError(Exception):
    """The database is ahead of this code."""


class UnrepeatableMigrationError(Exception):
    """A file that is to run outside a transaction has a statement that could not be tried again."""


def available(folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """The migrations that this code needs, in order."""
    return sorted(path.name for path in folder.glob("[0-9]*.sql"))


def migrate(database_url: str, *, folder: Path = MIGRATIONS_FOLDER, lock_wait: float = LOCK_WAIT) -> list[str]:
    """Bring the database up to this code; returns what was applied. Safe to call from several processes at once.

    Raises UnknownMigrationError, and TransientError where locks were not to be had for `patience` seconds.
    """
    # A migration may take its time (an index over ten million rows); waiting for a lock may not, as it queues others.
    with connections.open(
        database_url, "migrate", overrides={"statement_timeout": "0", "lock_timeout": "0"}, dedicated=True
    ) as connection:
        acquire_lock(connection, lock_wait)
        return apply_pending(connection, folder=folder, lock_wait=lock_wait)


def apply_pending(
    connection: connections.Connection,
    *,
    unrecorded: Collection[str] = (),
    folder: Path = MIGRATIONS_FOLDER,
    lock_wait: float = LOCK_WAIT,
) -> list[str]:
    """What `migrate` does, by whoever is `alone`; `withheld` are applied, but their names are not there yet."""
    with errors.translated():
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    done = applied(connection) | set(unrecorded)
    known = available(folder)
    reject_unknown(done, known)
    todo = [name for name in known if name not in done]
    for name in todo:
        _apply_file(connection, folder / name, lock_wait)
    return todo


def acquire_lock(connection: connections.Connection, lock_wait: float = LOCK_WAIT) -> None:
    """Be the only migrator for as long as the connection lives; raises TransientError.

    Asks again and again instead of waiting inside PostgreSQL: a session that waits there has a snapshot, and an index
    that is built concurrently by the migrator that is waited for would wait for that snapshot in turn.
    """

    def take() -> None:
        if not advisory_locks.try_acquire_for_connection(connection, advisory_locks.MIGRATION):
            raise errors.TransientError("Another migration runs on this database", "55P03")

    _retry_on_lock(take, lock_wait)


def reject_unknown(done: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownMigrationError if something was applied that this code does not know."""
    if unknown := sorted(set(done) - set(known)):
        raise UnknownMigrationError(
            f"The database has migrations that this version does not know ({', '.join(unknown)}): run a newer version."
        )


def _apply_file(connection: connections.Connection, path: Path, lock_wait: float) -> None:
    script = path.read_bytes()
    if script.startswith(_NON_TRANSACTIONAL):
        for statement in _split_statements(script, path.name):
            _build_index(connection, statement, lock_wait)
        with errors.translated():
            connection.execute("INSERT INTO migrations (name) VALUES (%s)", [path.name])
        return

    def attempt() -> None:
        with connection.transaction():
            connection.execute(_SET_LOCK_TIMEOUT)
            connection.execute(script)
            connection.execute("INSERT INTO migrations (name) VALUES (%s)", [path.name])

    _retry_on_lock(attempt, lock_wait)


def _split_statements(script: bytes, name: str) -> list[str]:
    """The statements of a file that runs outside a transaction: each can be repeated, wherever the last try ended."""
    text = re.sub(r"--[^\n]*", "", script.decode())
    found = [" ".join(statement.split()) for statement in text.split(";")]
    statements = [statement for statement in found if statement]
    for statement in statements:
        if not _CONCURRENT_INDEX.match(statement):
            raise UnrepeatableMigrationError(
                f"{name}: outside a transaction only CREATE INDEX CONCURRENTLY IF NOT EXISTS"
                f" and DROP INDEX CONCURRENTLY IF EXISTS can be tried again, and this cannot: {statement[:60]}"
            )
    return statements


def _build_index(connection: connections.Connection, statement: str, lock_wait: float) -> None:
    """Build or drop one index beside readers and writers; of one that an interrupted try left, begin anew."""
    matched = _CONCURRENT_INDEX.match(statement)
    index = matched[1] if matched else None

    def attempt() -> None:
        if index is not None:
            # Left by a try that was interrupted: it is kept up to date and never used, and IF NOT EXISTS would keep it.
            broken = "SELECT FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s) AND NOT i.indisvalid"
            if connection.execute(broken, [index]).fetchone() is not None:
                connection.execute(f'DROP INDEX CONCURRENTLY "{index}"'.encode())
        # It waits only for transactions that are older, and nobody waits for it.
        connection.execute(statement.encode())

    _retry_on_lock(attempt, lock_wait)


def _retry_on_lock(attempt: Callable[[], None], lock_wait: float) -> None:
    lock_retry.retry_on_lock(attempt, lock_wait, first_delay=_FIRST_RETRY_DELAY, max_delay=_MAX_RETRY_DELAY)


def applied(connection: connections.Connection) -> set[str]:
    """The migrations that the database has."""
    with errors.translated():
        if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
            return set()
        return {cast("str", name) for (name,) in connection.execute("SELECT name FROM migrations")}


def missing(connection: connections.Connection) -> list[str]:
    """The migrations that this code needs and the database lacks: no process is ready while there are any."""
    done = applied(connection)
    return [name for name in available() if name not in done]
