"""The audit log: which caller changed something, or tried to."""

from store.postgres.connections import Connection


def record(connection: Connection, caller: str, method: str, path: str, status: int) -> None:
    """Add one request with its HTTP status."""
    connection.execute(
        "INSERT INTO audit_log (caller, method, path, status) VALUES (%s, %s, %s, %s)", [caller, method, path, status]
    )
