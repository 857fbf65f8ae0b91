"""Reconstructs the primary's snapshot for a page that was read from a replica.

A snapshot taken on a replica does not list the transactions that are running on the primary. If it were used unchanged,
messages of those transactions would count as shown as soon as they are committed.
"""

import dataclasses
import json

from store.postgres.connections import Connection
from store.reading.messages.message_pages import MessagePage, ReadSnapshot

_MAX_LISTED_TRANSACTIONS = 300
"""The greatest number of transactions in a snapshot, because the snapshot becomes part of a URL."""


class SnapshotTooLargeError(Exception):
    """The snapshot would list too many transactions. Read the page from the primary instead."""


def reconstruct(connection: Connection, page: MessagePage) -> MessagePage:
    """Return the page with the primary's snapshot, or with a narrower one that marks the same messages as read.

    It contains all transactions before the oldest running one, and those whose messages are on the page. Raises
    SnapshotTooLargeError.
    """
    xmin, xmax = map(int, page.as_of.pg_snapshot.split(":")[:2])
    if xmin == xmax:
        return page
    # A send without a message has no id and is never unread.
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
    # A pg_snapshot starts with its oldest running transaction and ends after its newest.
    text = f"{xmin}:{max(end, xmin)}:{','.join(map(str, hidden))}"
    return dataclasses.replace(page, as_of=ReadSnapshot(page.as_of.epoch, text))
