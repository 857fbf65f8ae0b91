"""Undone merges: somebody knows better than the evidence, and that outranks it until they take it back."""

from collections.abc import Callable

from store.feed import changes
from store.history import chats
from store.history.chats import Place
from store.history.fold import Folding
from store.postgres import errors
from store.postgres.connections import Connection


class NotALidError(ValueError):
    """Only a LID is ever merged, so only a LID can be split off."""


def split(connection: Connection, session_id: str, lid: str) -> bool:
    """Show a LID as a chat of its own, whatever evidence says or will say; returns whether that was new.

    Works for a LID that nobody has heard of yet, too. Raises NotALidError.
    """
    return _decide(connection, (session_id, lid), _record)


def withdraw(connection: Connection, session_id: str, lid: str) -> bool:
    """Let the evidence on a LID count again; returns whether there was a split. Raises NotALidError."""
    return _decide(connection, (session_id, lid), _strike)


def _decide(connection: Connection, place: Place, write: Callable[[Connection, Place], bool]) -> bool:
    if chats.kind_of(place[1]) != "lid":
        raise NotALidError(f"{place[1]} is no LID")
    with errors.translated(), connection.transaction():
        # The LID before all others, as every fold does it; from then on nobody can tell anything new about it.
        located = chats.lock(connection, {place})
        if not write(connection, place):
            return False
        if located[place].head == located[place].chat_id:
            located |= chats.lock(connection, _phones(connection, place))
        folding = Folding(connection, (), (), {}, located)
        folding.settle(sorted(folding.move({place})))
        folding.show()
        changes.publish(connection, folding.changes)
    return True


def _record(connection: Connection, place: Place) -> bool:
    recorded = connection.execute(
        """
        INSERT INTO splits AS s (session_id, lid)
        VALUES (%s, %s)
        ON CONFLICT (session_id, lid) DO UPDATE
        SET made_at = now(), withdrawn_at = NULL
        WHERE s.withdrawn_at IS NOT NULL
        """,
        place,
    )
    return recorded.rowcount == 1


def _strike(connection: Connection, place: Place) -> bool:
    struck = connection.execute(
        "UPDATE splits SET withdrawn_at = now() WHERE session_id = %s AND lid = %s AND withdrawn_at IS NULL", place
    )
    return struck.rowcount == 1


def _phones(connection: Connection, place: Place) -> set[Place]:
    """Whoever the LID may be, by any evidence: the winner is among them."""
    found = connection.execute("SELECT phone FROM aliases WHERE session_id = %s AND lid = %s", place)
    return {(place[0], str(phone)) for (phone,) in found}
