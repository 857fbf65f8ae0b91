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
from store.postgres.connections import Connection, DatabaseUrlError

CHECK_TIMEOUT = 15.0
"""Seconds that PostgreSQL has for one question."""
CHECKS: Sequence[Callable[[Connection], list[Finding]]] = (
    *server.CHECKS,
    *xmin_horizon.CHECKS,
    *indexes.CHECKS,
    *event_flow.CHECKS,
    retention.month_partitions,
    disks.postgresql_space,
)
_UNDEFINED_OBJECT_CODES = {"42P01", "42703", "42883"}
"""PostgreSQL's codes for a table, a column and a function that are not there."""
READ_ONLY = {"default_transaction_read_only": "on"}
"""Whoever looks at a patient does not operate."""


def run(environ: Mapping[str, str]) -> list[Finding]:
    """Everything; what cannot be looked at is a finding as well. Never raises for what it looks at."""
    return [*check_database(environ), *replica.check(environ), *worker_report.check(environ), *check_machine(environ)]


def check_machine(environ: Mapping[str, str]) -> list[Finding]:
    """What can be seen without asking a server."""
    return [
        *disks.free_space(environ),
        *disks.spool_files(environ),
        *secrets.configured(environ),
        *secrets.file_modes(environ),
    ]


def check_database(environ: Mapping[str, str]) -> list[Finding]:
    """PostgreSQL, and what it knows of the flow of events."""
    try:
        url = connections.direct_url(environ)
    except DatabaseUrlError as error:
        return [finding.broken("postgresql", str(error), "Start ./run, or name your server in DATABASE_URL.")]
    try:
        connection = connections.open(url, "doctor", overrides=READ_ONLY)
    except errors.StoreError as error:
        return [_unreachable(error)]
    found = [finding.ok("postgresql", "PostgreSQL answers.")]

    def key(connection: Connection) -> list[Finding]:
        return retention.suppression_key(connection, environ)

    with connection:
        for check in (*CHECKS, key):
            try:
                with errors.translated(), connections.deadline(connection, CHECK_TIMEOUT):
                    found += check(connection)
            except errors.StoreError as error:
                if connections.is_broken(connection):
                    return [*found, _unreachable(error)]
                found.append(_not_checked(check.__name__, error))
    return found


def _unreachable(error: errors.StoreError) -> Finding:
    cure = "Start it, and check host, user, password and database in DATABASE_URL: psql \"$DATABASE_URL\" -c 'SELECT 1'"
    return finding.broken("postgresql", f"PostgreSQL does not answer. {error}", cure)


def _not_checked(check_name: str, error: errors.StoreError) -> Finding:
    if error.sqlstate in _UNDEFINED_OBJECT_CODES:
        cure = "Run `python -m store migrate`."
        return finding.warning("postgresql.unseen", f"What is needed to judge {check_name} is not there.", cure)
    cure = "Grant the user pg_monitor, or see what PostgreSQL's log says."
    return finding.warning("postgresql.unseen", f"PostgreSQL did not let us judge {check_name} ({error}).", cure)
