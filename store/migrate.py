"""Migrations: numbered `.sql` files, forward only, each once, under a lock."""

from pathlib import Path

from store import connect, errors

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_347_120_481_912_004_217  # any number that no other program picks


class UnknownMigrationError(Exception):
    """The database is ahead of this code."""


def names() -> list[str]:
    """The migrations that this code needs, in order."""
    return sorted(path.name for path in FOLDER.glob("[0-9]*.sql"))


def migrate(database_url: str) -> list[str]:
    """Bring the database up to this code; returns what was applied. Safe to call from several processes at once."""
    # A migration may take its time (an index over ten million rows); waiting for a lock may not, as it queues others.
    with connect.open(database_url, "migrate", bounds={"statement_timeout": "0", "lock_timeout": "0"}) as connection:
        with errors.translated():
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
        done = applied(connection)
        if unknown := sorted(done - set(names())):
            raise UnknownMigrationError(
                f"The database has migrations that this version does not know ({', '.join(unknown)}):"
                " run a newer version."
            )
        todo = [name for name in names() if name not in done]
        for name in todo:
            with errors.translated(), connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '10s'")
                connection.execute((FOLDER / name).read_bytes())
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", [name])
    return todo


def applied(connection: connect.Connection) -> set[str]:
    """The migrations that the database has."""
    with errors.translated():
        if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
            return set()
        return {str(name) for (name,) in connection.execute("SELECT name FROM migrations")}


def missing(connection: connect.Connection) -> list[str]:
    """The migrations that this code needs and the database lacks: no process is ready while there are any."""
    done = applied(connection)
    return [name for name in names() if name not in done]
