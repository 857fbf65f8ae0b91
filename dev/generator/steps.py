"""Executes the steps of generating a history (dev/generator/generate.py). Each runs once, even across interruptions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString, TypeAlias, cast

from psycopg import sql

from dev.errors import StartError
from dev.generator import statements
from store.model import spelling
from store.postgres.connections import Connection
from store.search_index import chat_names, search_document

ParallelTask: TypeAlias = Callable[[], None]

HISTORY_END = 1_764_000_000_000
HISTORY_SPAN = 2 * 365 * 86_400_000
"""The end of the history, and its length, in ms."""
SESSIONS = 4
FEED_MESSAGES = 100_000
"""The number of the last messages that are still in the change feed."""
_RESPELLED_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class HistorySize:
    messages: int
    chats: int

    @property
    def query_parameters(self) -> dict[str, int]:
        return {
            "messages": self.messages,
            "chats": self.chats,
            # The number of chats that share a tenth of all messages: of ten million messages, a hundred thousand each.
            "big": max(1, min(10, self.chats // 10)),
            "sessions": SESSIONS,
            "end": HISTORY_END,
            "step": max(1, HISTORY_SPAN // self.messages),
            "feed": FEED_MESSAGES,
            "ranks": statements.TERM_RANKS,
        }


def start_or_resume(connection: Connection, messages: int, chats: int) -> HistorySize:
    """Record the run. Raises StartError if the database contains other data or another run."""
    with connection.transaction():
        if connection.execute("SELECT to_regclass('generator')").fetchone() == (None,):
            found = connection.execute(
                "SELECT EXISTS (SELECT FROM chats) OR EXISTS (SELECT FROM message_keys)"
            ).fetchone()
            if found == (True,):
                raise StartError("There is a history in this database already.")
            for statement in statements.CREATE_BOOKKEEPING:
                connection.execute(statement)
            connection.execute("INSERT INTO generator (messages, chats) VALUES (%s, %s)", [messages, chats])
        row = connection.execute("SELECT messages, chats FROM generator").fetchone()
    plan = HistorySize(*cast("tuple[int, int]", row))
    if plan != HistorySize(messages, chats):
        raise StartError(f"{plan.messages} messages in {plan.chats} chats were begun here: finish those first.")
    return plan


def set_up(connection: Connection, size: HistorySize, batch_messages: int) -> None:
    """Insert sessions, chats and the list of parts, and drop the indexes that are faster to build at the end."""
    with connection.transaction():
        if connection.execute("SELECT EXISTS (SELECT FROM generator_parts)").fetchone() == (True,):
            return
        for statement in statements.SETUP:
            connection.execute(statement, size.query_parameters | {"part": batch_messages})
        for name, owner, is_constraint in connection.execute(
            "SELECT name, owner, is_constraint FROM generator_indexes"
        ).fetchall():
            drop: LiteralString = "ALTER TABLE {owner} DROP CONSTRAINT {name}" if is_constraint else "DROP INDEX {name}"
            connection.execute(sql.SQL(drop).format(name=sql.Identifier(str(name)), owner=sql.Identifier(str(owner))))


def write_batch(connection: Connection, size: HistorySize) -> int | None:
    """Write the next part that no other connection is writing. Return its last message, or None at the end."""
    with connection.transaction():
        taken = connection.execute(statements.CLAIM_BATCH).fetchone()
        if taken is None:
            return None
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        if row == (True,):
            # Foreign keys hold by construction, and looking up twenty million of them takes half of the time.
            connection.execute("SET LOCAL session_replication_role = replica")
        part, first, last = cast("tuple[int, int, int]", taken)
        for statement in statements.WRITE_BATCH:
            connection.execute(statement, size.query_parameters | {"part": part, "first": first, "last": last})
        _write_search_documents(connection, first, last)
    return last


def _write_search_documents(connection: Connection, first: int, last: int) -> None:
    messages = connection.execute(
        """
        SELECT m.id, m.chat_id, m.session_id, m.direction, m.message_type, m.timestamp,
            concat_ws(' ', m.message_text, m.caption, m.file_name)
        FROM whatsapp_messages AS m
        WHERE m.id BETWEEN %s AND %s
        ORDER BY m.id
        """,
        [first, last],
    ).fetchall()
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY search_index (id, chat_id, session_id, direction, message_type, timestamp, text, spelling) FROM STDIN"
        ) as copy,
    ):
        for *columns, text in messages:
            copy.write_row((*columns, search_document.build(str(text)), spelling.VERSION))


def missing_indexes(connection: Connection) -> list[tuple[str, str]]:
    """Return the names and definitions of the indexes to build, those that take longest first."""
    found = connection.execute(
        """
        SELECT i.name, i.definition
        FROM generator_indexes AS i
        WHERE to_regclass(quote_ident(i.name)) IS NULL
        ORDER BY i.definition NOT LIKE '%gin%', i.name
        """
    )
    return [(str(name), str(definition)) for name, definition in found]


def create_index(connection: Connection, definition: str) -> None:
    connection.execute(cast("LiteralString", definition))  # PostgreSQL's own words


def finish(connection: Connection, size: HistorySize) -> None:
    """Set the chat summaries, the feed, the search position and the sequences."""
    with connection.transaction():
        if connection.execute("SELECT EXISTS (SELECT FROM changes)").fetchone() == (False,):
            for statement in statements.FINISH:
                connection.execute(statement, size.query_parameters)
    while chat_names.respell(connection, _RESPELLED_NAMES) == _RESPELLED_NAMES:
        pass
    connection.execute(
        "UPDATE search_index_position SET xid = pg_snapshot_xmin(pg_current_snapshot()), change_id = 0, spelling = %s",
        [spelling.VERSION],
    )


def drop_bookkeeping(connection: Connection) -> None:
    """Drop the generator's own tables."""
    connection.execute("DROP TABLE generator, generator_indexes, generator_parts")
