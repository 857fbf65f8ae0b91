"""Runs all checks, each after the checks that it depends on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from store.doctor import (
    blockers,
    disks,
    event_flow,
    finding,
    indexes,
    partitions,
    replica,
    secrets,
    server,
    unfinished_work,
    worker_report,
)
from store.doctor.finding import Finding
from store.postgres import connections, errors
from store.postgres.connections import Connection, DatabaseUrlError

CHECK_TIMEOUT = 15.0
"""The time limit for PostgreSQL in one check, in seconds."""
CHECKS: Sequence[Callable[[Connection], list[Finding]]] = (
    *server.CHECKS,
    *blockers.CHECKS,
    *indexes.CHECKS,
    *event_flow.CHECKS,
    unfinished_work.pending,
    partitions.month_partitions,
    disks.postgresql_space,
)
_UNDEFINED_OBJECT_CODES = {"42P01", "42703", "42883"}
"""The SQLSTATEs for a missing table, column and function."""
READ_ONLY = {"default_transaction_read_only": "on"}


def run(environ: Mapping[str, str]) -> list[Finding]:
    """Run all checks. A check that fails becomes a finding; it raises no error."""
    return [*check_database(environ), *replica.check(environ), *worker_report.check(environ), *check_machine(environ)]


def check_machine(environ: Mapping[str, str]) -> list[Finding]:
    """Run the checks that need no server."""
    return [
        folders(environ),
        *disks.free_space(environ),
        *disks.spool_files(environ),
        *disks.quarantine(environ),
        *secrets.configured(environ),
        *secrets.file_modes(environ),
    ]


def folders(environ: Mapping[str, str]) -> Finding:
    """Report the folders that the command uses: the current one for `.env`, and DATA_DIR."""
    data_dir = Path(environ.get("DATA_DIR") or "var").absolute()
    found = "was read" if Path(".env").exists() else "does not exist"
    message = f"DATA_DIR is {data_dir}; {Path('.env').absolute()} {found}."
    if data_dir.is_dir():
        return finding.ok("folders", message)
    remedy = "Run the command where ./run runs, or set DATA_DIR as the other processes do."
    return finding.warning("folders", f"{message} DATA_DIR does not exist.", remedy)


def check_database(environ: Mapping[str, str]) -> list[Finding]:
    """Run the checks of PostgreSQL and of the flow of events."""
    try:
        url = connections.direct_url(environ)
    except DatabaseUrlError as error:
        return [finding.broken("postgresql", str(error), "Start ./run, or set DATABASE_URL to your server.")]
    try:
        connection = connections.open(url, "doctor", overrides=READ_ONLY)
    except errors.StoreError as error:
        return [_unreachable(error)]
    findings = [finding.ok("postgresql", "PostgreSQL answers.")]

    def suppression_key(connection: Connection) -> list[Finding]:
        return secrets.suppression_key(connection, environ)

    with connection:
        for check in (*CHECKS, suppression_key):
            try:
                with errors.translated(), connections.deadline(connection, CHECK_TIMEOUT):
                    findings += check(connection)
            except errors.StoreError as error:
                if connections.is_broken(connection):
                    return [*findings, _unreachable(error)]
                findings.append(_not_checked(check.__name__, error))
    return findings


def _unreachable(error: errors.StoreError) -> Finding:
    remedy = 'Start it, and check host, user, password and database in DATABASE_URL, with psql "$DATABASE_URL".'
    return finding.broken("postgresql", f"PostgreSQL does not answer. {error}", remedy)


def _not_checked(check_name: str, error: errors.StoreError) -> Finding:
    name = "postgresql.unseen"
    if error.sqlstate in _UNDEFINED_OBJECT_CODES:
        message = f"A table, column or function that the check {check_name} needs is missing."
        return finding.warning(name, message, "Run `python -m store migrate`.")
    remedy = "Grant pg_monitor to the user, or read the log of PostgreSQL."
    return finding.warning(name, f"The check {check_name} failed ({error}).", remedy)
