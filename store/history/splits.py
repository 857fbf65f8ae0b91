"""Undone merges: somebody knows better than the evidence, and that outranks it until they take it back."""

from collections.abc import Callable

from store.feed import changes
from store.history import chats, lid_aliases
from store.history.chats import ChatAddress
from store.history.fold import Fold
from store.postgres import errors
from store.postgres.connections import Connection


class NotALidError(ValueError):
    """Only a LID is ever merged, so only a LID can be split off."""


def split(connection: Connection, session_id: str, lid: str) -> bool:
    """Show a LID as a chat of its own, whatever evidence says or will say; returns whether that was new.

    Works for a LID that nobody has heard of yet, too. Raises NotALidError.
    """
    return _set_split(connection, (session_id, lid), _add_split)


def withdraw(connection: Connection, session_id: str, lid: str) -> bool:
    """Let the evidence on a LID count again; returns whether there was a split. Raises NotALidError."""
    return _set_split(connection, (session_id, lid), _withdraw_split)


def _set_split(connection: Connection, address: ChatAddress, write: Callable[[Connection, ChatAddress], bool]) -> bool:
    if chats.kind_of(address[1]) != "lid":
        raise NotALidError(f"{address[1]} is no LID")
    with errors.translated(), connection.transaction():
        # The LID before all others, as every fold does it; from then on nobody can tell anything new about it.
        located = chats.lock(connection, {address})
        if not write(connection, address):
            return False
        if located[address].canonical_chat_id == located[address].chat_id:
            located |= chats.lock(connection, lid_aliases.candidate_phones(connection, {address}))
        folding = Fold(connection, (), (), {}, located)
        folding.recompute(sorted(folding.remap_lids({address})))
        folding.refresh_summaries()
        changes.publish(connection, folding.changes)
    return True


def _add_split(connection: Connection, address: ChatAddress) -> bool:
    recorded = connection.execute(
        """
        INSERT INTO lid_splits AS s (session_id, lid)
        VALUES (%s, %s)
        ON CONFLICT (session_id, lid) DO UPDATE
        SET created_at = now(), withdrawn_at = NULL
        WHERE s.withdrawn_at IS NOT NULL
        """,
        address,
    )
    return recorded.rowcount == 1


def _withdraw_split(connection: Connection, address: ChatAddress) -> bool:
    struck = connection.execute(
        "UPDATE lid_splits SET withdrawn_at = now() WHERE session_id = %s AND lid = %s AND withdrawn_at IS NULL",
        address,
    )
    return struck.rowcount == 1
