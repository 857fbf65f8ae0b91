"""Applies migrations: numbered `.sql` files, forward only, each of them once, while other processes read and write."""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import cast

from store.postgres import advisory_locks, connections, errors, lock_retry

MIGRATIONS_FOLDER = Path(__file__).parent.parent / "migrations"
LOCK_WAIT = 300.0
"""The time in seconds to wait for the locks of a migration, and for another migrator."""
_SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
"""Short, because other processes queue behind a migration that waits for the strongest lock of a table. The migration
is tried again.
"""
_FIRST_RETRY_DELAY, _MAX_RETRY_DELAY = 0.1, 5.0
_NON_TRANSACTIONAL = b"-- outside a transaction"
"""The first line of a file whose statements run outside a transaction, as CREATE INDEX CONCURRENTLY requires."""
_CONCURRENT_INDEX = re.compile(
    r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)|DROP INDEX CONCURRENTLY IF EXISTS \w+"
)


class UnknownMigrationError(Exception):
    """The database has a migration that this code lacks."""


class UnrepeatableMigrationError(Exception):
    """A file that runs outside a transaction contains a statement that cannot be repeated."""


def available(folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Return the migrations that this code needs, in order."""
    return sorted(path.name for path in folder.glob("[0-9]*.sql"))


def migrate(database_url: str, *, folder: Path = MIGRATIONS_FOLDER, lock_wait: float = LOCK_WAIT) -> list[str]:
    """Apply the missing migrations and return their names. Several processes may call this at once.

    Raises UnknownMigrationError, and TransientError if locks are not granted within `lock_wait` seconds.
    """
    # A migration may run for long (such as an index over ten million rows), but must not wait for long for a lock,
    # because others queue behind it.
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
    """Apply pending migrations and return their names. The caller holds the lock of `acquire_lock`.

    `unrecorded` migrations are applied, but not in the table yet.
    """
    with errors.translated():
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    done = applied(connection) | set(unrecorded)
    known = available(folder)
    reject_unknown(done, known)
    pending = [name for name in known if name not in done]
    for name in pending:
        _apply_file(connection, folder / name, lock_wait)
    return pending


def acquire_lock(connection: connections.Connection, lock_wait: float = LOCK_WAIT) -> None:
    """Become the only migrator until the connection ends. Raises TransientError.

    Polls instead of waiting in PostgreSQL: a waiting connection holds a snapshot, and the CREATE INDEX CONCURRENTLY
    of the other migrator would wait for that snapshot.
    """

    def take() -> None:
        if not advisory_locks.try_acquire_for_connection(connection, advisory_locks.MIGRATION):
            raise errors.TransientError("Another migration runs on this database", "55P03")

    _retry_on_lock(take, lock_wait)


def reject_unknown(done: Iterable[str], known: Iterable[str]) -> None:
    """Raise UnknownMigrationError if the database has a migration that this code lacks."""
    if unknown := sorted(set(done) - set(known)):
        raise UnknownMigrationError(
            f"The database has migrations that this version lacks ({', '.join(unknown)}): run a newer version."
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
    """Return the statements of a file that runs outside a transaction. Each can be repeated after an interruption."""
    text = re.sub(r"--[^\n]*", "", script.decode())
    statements = [" ".join(statement.split()) for statement in text.split(";") if statement.strip()]
    for statement in statements:
        if not _CONCURRENT_INDEX.match(statement):
            raise UnrepeatableMigrationError(
                f"{name}: outside a transaction only CREATE INDEX CONCURRENTLY IF NOT EXISTS"
                f" and DROP INDEX CONCURRENTLY IF EXISTS can be repeated, and this cannot: {statement[:60]}"
            )
    return statements


def _build_index(connection: connections.Connection, statement: str, lock_wait: float) -> None:
    """Build or drop one index while others read and write.

    An index that an interruption left invalid is built again.
    """
    matched = _CONCURRENT_INDEX.match(statement)
    index = matched[1] if matched else None

    def attempt() -> None:
        if index is not None:
            # An interrupted build leaves an index that is maintained but never used, and IF NOT EXISTS would keep it.
            broken = "SELECT FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s) AND NOT i.indisvalid"
            if connection.execute(broken, [index]).fetchone() is not None:
                connection.execute(f'DROP INDEX CONCURRENTLY "{index}"'.encode())
        # The statement waits only for older transactions, none of which waits for it.
        connection.execute(statement.encode())

    _retry_on_lock(attempt, lock_wait)


def _retry_on_lock(attempt: Callable[[], None], lock_wait: float) -> None:
    lock_retry.retry_on_lock(attempt, lock_wait, first_delay=_FIRST_RETRY_DELAY, max_delay=_MAX_RETRY_DELAY)


def applied(connection: connections.Connection) -> set[str]:
    """Return the names of the migrations that the database has."""
    with errors.translated():
        if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
            return set()
        return {cast("str", name) for (name,) in connection.execute("SELECT name FROM migrations")}


def missing(connection: connections.Connection) -> list[str]:
    """Return the migrations that the database lacks. No process is ready while there are any."""
    done = applied(connection)
    return [name for name in available() if name not in done]
