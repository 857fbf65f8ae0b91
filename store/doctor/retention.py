"""What keeping and forgetting need: the months' partitions, and the key to who is forgotten."""

from collections.abc import Mapping

from store.doctor import finding
from store.doctor.finding import Finding
from store.erasure import suppressions
from store.erasure.key_store import SuppressionKeyError, SuppressionKeyStore
from store.erasure.suppressions import SuppressionCache
from store.postgres.connections import Connection
from store.retention import partitions


def month_partitions(connection: Connection) -> list[Finding]:
    lacking = partitions.missing(connection)
    name = "postgresql.partitions"
    if lacking:
        sentence = f"Months have no partition of the raw bodies: {', '.join(month.name for month in lacking)}."
        cure = "A worker makes them in time where it may (the owner of the table): let one run, and read its log."
        return [finding.warning(name, sentence, cure)]
    return [finding.ok(name, "This month and the next ones have partitions of the raw bodies.")]


def suppression_key(connection: Connection, environ: Mapping[str, str]) -> list[Finding]:
    """Without it nothing is written: nobody could tell whose messages must not come back."""
    try:
        suppressions.check_key(connection, SuppressionCache(SuppressionKeyStore.from_environ(environ).find_key))
    except SuppressionKeyError as error:
        cure = "Give it to every process that writes (docs/keeping.md); it is in no backup of the database."
        return [finding.broken("secrets.forget", str(error), cure)]
    return [finding.ok("secrets.forget", "Whoever is forgotten can be told from everybody else.")]
