"""Checks the monthly partitions of raw events."""

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres.connections import Connection
from store.retention import partitions


def month_partitions(connection: Connection) -> list[Finding]:
    name = "postgresql.partitions"
    if missing := partitions.missing(connection):
        message = f"Months without a partition of raw events: {', '.join(month.name for month in missing)}."
        remedy = "Run a worker as the owner of the table: it creates them. If it does not, read its log."
        return [finding.warning(name, message, remedy)]
    return [finding.ok(name, "This month and the next ones have partitions of raw events.")]
