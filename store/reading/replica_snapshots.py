"""Reconstructs the snapshot of a page that was read from a replica.

A replica's snapshot does not list the transactions that were running on the primary. Taken as it is, messages of those
transactions would count as shown once they are committed.
"""

import dataclasses
import json

from store.postgres.connections import Connection
from store.reading.message_pages import MessagePage, ReadSnapshot

_MAX_LISTED_TRANSACTIONS = 300
"""Transactions that a snapshot may list, because it becomes part of a URL."""


class SnapshotTooLargeError(Exception):
    """The snapshot would list too many transactions; read the page from the primary instead."""


def reconstruct(connection: Connection, page: MessagePage) -> MessagePage:
    """Return the page with the primary's snapshot, or a smaller one that marks the same messages as read.

    Visible are all transactions before the oldest running one, and those whose messages are on the page. Raises
    SnapshotTooLargeError.
    """
    xmin, xmax = map(int, page.as_of.pg_snapshot.split(":")[:2])
    if xmin == xmax:
        return page
    # Sends without a message have no id and are never unread.
    ids = [row_id for message in page.messages if isinstance(row_id := json.loads(message)["id"], int)]
    cursor = connection.execute(
        """
        SELECT DISTINCT m.created_xid::text::bigint AS created_xid
        FROM whatsapp_messages AS m
        WHERE m.id = ANY(%(ids)s) AND m.created_xid >= %(xmin)s::xid8
        ORDER BY created_xid
        """,
        {"ids": ids, "xmin": str(xmin)},
    )
    shown = {int(str(created_xid)) for (created_xid,) in cursor}
    end = max(shown, default=xmin - 1) + 1
    last = min(end, xmin + _MAX_LISTED_TRANSACTIONS + len(shown) + 1)
    hidden = [xid for xid in range(xmin, last) if xid not in shown]
    if len(hidden) > _MAX_LISTED_TRANSACTIONS:
        raise SnapshotTooLargeError
    # A pg_snapshot begins with its first running transaction and ends after its last.
    text = f"{xmin}:{max(end, xmin)}:{','.join(map(str, hidden))}"
    return dataclasses.replace(page, as_of=ReadSnapshot(page.as_of.epoch, text))
