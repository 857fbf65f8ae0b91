"""Records that a person accepted a loss, or the end of a silent writer."""

from store.ledger import ledger, losses
from store.ledger.ledger import Ledger
from store.ledger.losses import BatchRange
from store.postgres import errors
from store.postgres.connections import Connection
from store.postgres.errors import StoreError


class NotAcceptableError(StoreError):
    """The ledger does not list these batches as lost or this writer as unknown.

    If no worker is running, the ledger lists none.
    """


def accept_loss(connection: Connection, batches: BatchRange, *, reason: str, accepted_by: str) -> None:
    """Record that a person accepts the loss of these batches.

    Raises TransientError, and NotAcceptableError unless the ledger lists exactly these batches as lost.
    """
    with errors.translated(), connection.transaction():
        totals = _lock_and_read(connection)
        gap = next((gap for gap in losses.find_gaps(connection) if gap.range == batches), None)
        if totals.waiting is None or gap is None or not gap.is_lost:
            raise NotAcceptableError(_refusal(totals))
        row = {"writer": gap.writer, "first": gap.first, "last": gap.last, "before": gap.before, "upto": gap.upto}
        connection.execute(
            """
            INSERT INTO accepted_losses (writer, first, last, before, upto, reason, accepted_by)
            VALUES (%(writer)s, %(first)s, %(last)s, %(before)s, %(upto)s, %(reason)s, %(accepted_by)s)
            """,
            row | {"reason": reason, "accepted_by": accepted_by},
        )


def accept_end(connection: Connection, writer: str, *, reason: str, accepted_by: str) -> None:
    """Record that a silent writer will report nothing more. Its missing batches then count as lost.

    Raises TransientError, and NotAcceptableError unless the ledger lists this writer as unknown.
    """
    with errors.translated(), connection.transaction():
        totals = _lock_and_read(connection)
        if writer not in {question.writer for question in totals.unknown}:
            raise NotAcceptableError(f"The ledger does not wait for writer {writer}: nothing was recorded.")
        connection.execute("UPDATE writers SET ended_at = now() WHERE writer = %(writer)s", {"writer": writer})
        connection.execute(
            """
            INSERT INTO accepted_losses (writer, reason, accepted_by)
            VALUES (%(writer)s, %(reason)s, %(accepted_by)s)
            """,
            {"writer": writer, "reason": reason, "accepted_by": accepted_by},
        )


def _lock_and_read(connection: Connection) -> Ledger:
    """Return the ledger. Until the transaction ends, no other process can accept anything."""
    connection.execute("LOCK TABLE accepted_losses IN SHARE ROW EXCLUSIVE MODE")
    return ledger.read_in_transaction(connection)


def _refusal(totals: Ledger) -> str:
    if totals.waiting is None:
        return (
            "It is unknown whether these batches are lost, because no worker is running: start one and try again."
            " Nothing was recorded."
        )
    lost = ", ".join(f"{gap.writer}:{gap.first}-{gap.last}" for gap in totals.lost)
    return f"The ledger does not name these batches as lost (lost: {lost or 'none'}). Nothing was recorded."
