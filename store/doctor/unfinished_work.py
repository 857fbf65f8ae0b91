"""Checks for erasures and merges of accounts that the workers have not finished."""

from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.postgres.connections import Connection


def pending(connection: Connection) -> list[Finding]:
    """Report pending erasures and merges. The severity is `info`, because a worker finishes them within minutes."""
    name = "work.pending"
    row = connection.execute(
        """
        SELECT
            (SELECT count(*) FROM erasures),
            (SELECT count(*) FROM account_sessions AS a WHERE a.session_number <> a.primary_number AND NOT a.is_merged)
        """
    ).fetchone()
    erasures, merges = cast("tuple[int, int]", row)
    if not erasures and not merges:
        return [finding.ok(name, "No erasure is pending, and the histories of all accounts are merged.")]
    message = f"{erasures} erasures are pending, and {merges} sessions are not merged into their accounts yet."
    remedy = "If the numbers do not fall within minutes, read the log of the workers, which names the reason."
    return [finding.info(name, message, remedy)]
