"""All that is looked at, in the order of what rests on what."""

from collections.abc import Callable, Mapping, Sequence

from store.doctor import (
    disks,
    event_flow,
    finding,
    indexes,
    replica,
    retention,
    secrets,
    server,
    worker_report,
    xmin_horizon,
)
from store.doctor.finding import Finding
from store.postgres import connections, errors
from store.postgres.connections import Connection, NoDatabaseError

ANSWER = 15.0
"""Seconds that PostgreSQL has for one question."""
CHECKS: Sequence[Callable[[Connection], list[Finding]]] = (
    *server.CHECKS,
    *xmin_horizon.CHECKS,
    *indexes.CHECKS,
    *event_flow.CHECKS,
    retention.months,
    disks.of_postgresql,
)
_ABSENT = {"42P01", "42703", "42883"}
"""PostgreSQL's codes for a table, a column and a function that are not there."""
READ_ONLY = {"default_transaction_read_only": "on"}
"""Whoever looks at a patient does not operate."""


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Everything; what cannot be looked at is a finding as well. Never raises for what it looks at."""
    return [*database(environ), *replica.findings(environ), *worker_report.findings(environ), *machine(environ)]


def machine(environ: Mapping[str, str]) -> list[Finding]:
    """What can be seen without asking a server."""
    return [
        *disks.space(environ),
        *disks.spool(environ),
        *secrets.present(environ),
        *secrets.modes(environ),
    ]


def database(environ: Mapping[str, str]) -> list[Finding]:
    """PostgreSQL, and what it knows of the flow of events."""
    try:
        url = connections.direct_url(environ)
    except NoDatabaseError as error:
        return [finding.broken("postgresql", str(error), "Start ./run, or name your server in DATABASE_URL.")]
    try:
        connection = connections.open(url, "doctor", bounds=READ_ONLY)
    except errors.StoreError as error:
        return [_silent(error)]
    found = [finding.ok("postgresql", "PostgreSQL answers.")]

    def key(connection: Connection) -> list[Finding]:
        return retention.key(connection, environ)

    with connection:
        for check in (*CHECKS, key):
            try:
                with errors.translated(), connections.deadline(connection, ANSWER):
                    found += check(connection)
            except errors.StoreError as error:
                if connections.is_broken(connection):
                    return [*found, _silent(error)]
                found.append(_unseen(check.__name__, error))
    return found


def _silent(error: errors.StoreError) -> Finding:
    cure = "Start it, and check host, user, password and database in DATABASE_URL: psql \"$DATABASE_URL\" -c 'SELECT 1'"
    return finding.broken("postgresql", f"PostgreSQL does not answer. {error}", cure)


def _unseen(what: str, error: errors.StoreError) -> Finding:
    if error.sqlstate in _ABSENT:
        cure = "Run `python -m store migrate`."
        return finding.warning("postgresql.unseen", f"What is needed to judge {what} is not there.", cure)
    cure = "Grant the user pg_monitor, or see what PostgreSQL's log says."
    return finding.warning("postgresql.unseen", f"PostgreSQL did not let us judge {what} ({error}).", cure)
