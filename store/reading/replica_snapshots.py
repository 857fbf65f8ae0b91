"""What a page of a replica's could have shown, exactly.

A replica's snapshot does not tell which transactions were running (its list is empty), so that what they wrote would
pass for shown as soon as they commit.
"""

import dataclasses
import json

from store.postgres.connections import Connection
from store.reading.message_pages import MessagePage, ReadSnapshot

_MAX_LISTED_TRANSACTIONS = 300
"""Transactions that a snapshot may name: it travels in an URL and back."""


class SnapshotTooLargeError(Exception):
    """It would take too many words: the primary can say it in few."""


def reconstruct(connection: Connection, page: MessagePage) -> MessagePage:
    """The page with the snapshot that a primary would have given it, or a smaller one; raises UnclearError.

    All that is older than the oldest running transaction was visible, and what the page itself shows; the rest was
    not, or was not shown, which is the same to whoever marks it as read.
    """
    xmin, xmax = map(int, page.as_of.pg_snapshot.split(":")[:2])
    if xmin == xmax:
        return page
    # Sends that are no messages have no number, and are nothing that could be read.
    ids = [row_id for message in page.messages if isinstance(row_id := json.loads(message)["id"], int)]
    found = connection.execute(
        """
        SELECT DISTINCT m.created_xid::text::bigint AS created_xid
        FROM whatsapp_messages AS m
        WHERE m.id = ANY(%(ids)s) AND m.created_xid >= %(xmin)s::xid8
        ORDER BY created_xid
        """,
        {"ids": ids, "xmin": str(xmin)},
    ).fetchall()
    shown = {int(str(created_xid)) for (created_xid,) in found}
    end = max(shown, default=xmin - 1) + 1
    hidden = [
        xid for xid in range(xmin, min(end, xmin + _MAX_LISTED_TRANSACTIONS + len(shown) + 1)) if xid not in shown
    ]
    if len(hidden) > _MAX_LISTED_TRANSACTIONS:
        raise SnapshotTooLargeError
    # PostgreSQL wants a snapshot to end after its last running transaction, and to begin with its first.
    text = f"{xmin}:{max(end, xmin)}:{','.join(map(str, hidden))}"
    return dataclasses.replace(page, as_of=ReadSnapshot(page.as_of.epoch, text))
