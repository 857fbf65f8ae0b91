"""The statements that make up a made-up history (dev/generator.py), in the order in which they run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import LiteralString, TypeAlias, cast

import psycopg
from psycopg import sql

from dev.failure import StartError
from store import searchable

Connection: TypeAlias = psycopg.Connection[tuple[object, ...]]

END = 1_764_000_000_000
SPAN = 2 * 365 * 86_400_000
"""The history's last moment, and its length, in ms."""
SESSIONS = 4
FEED = 100_000
"""So many of the last messages are still in the change feed."""


@dataclass(frozen=True, slots=True)
class Plan:
    messages: int
    chats: int
    done: int

    @property
    def values(self) -> dict[str, int]:
        return {
            "messages": self.messages,
            "chats": self.chats,
            # So many chats share a tenth of everything: of ten million messages, a hundred thousand each.
            "big": max(1, min(10, self.chats // 10)),
            "sessions": SESSIONS,
            "end": END,
            "step": max(1, SPAN // self.messages),
        }


def begin(connection: Connection, messages: int, chats: int) -> Plan:
    """How far an earlier run was with the same numbers; a new run only in an empty database."""
    if connection.execute("SELECT to_regclass('generator')").fetchone() == (None,):
        if connection.execute("SELECT EXISTS (SELECT FROM chats) OR EXISTS (SELECT FROM keys)").fetchone() == (True,):
            raise StartError("There is a history in this database already.")
        with connection.transaction():
            connection.execute("CREATE TABLE generator (messages bigint, chats bigint, done bigint)")
            connection.execute("CREATE TABLE generator_indexes (name text, definition text)")
            connection.execute("INSERT INTO generator VALUES (%s, %s, 0)", [messages, chats])
    row = connection.execute("SELECT messages, chats, done FROM generator").fetchone()
    found = Plan(*cast("tuple[int, int, int]", row))
    if (found.messages, found.chats) != (messages, chats):
        raise StartError(f"{found.messages} messages in {found.chats} chats were begun here: finish those first.")
    return found


def frame(connection: Connection, plan: Plan) -> None:
    """Sessions and chats; and the indexes that are quicker made at the end go."""
    for statement in FRAME:
        connection.execute(statement, plan.values)
    for (name,) in connection.execute("SELECT name FROM generator_indexes").fetchall():
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))


def messages(connection: Connection, plan: Plan, chunk: int) -> Plan:
    """The next messages, with their keys, reactions and batches."""
    upto = min(plan.messages, plan.done + chunk)
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row == (True,):
        # Foreign keys hold by construction; looking up twenty million of them takes half of the time.
        connection.execute("SET LOCAL session_replication_role = replica")
    for statement in MESSAGES:
        connection.execute(statement, {**plan.values, "first": plan.done + 1, "last": upto})
    connection.execute("UPDATE generator SET done = %s", [upto])
    return replace(plan, done=upto)


def finish(connection: Connection, plan: Plan, say: Callable[[str], None]) -> None:
    """Indexes, what is shown of chats, the feed, the search, and what PostgreSQL knows of it all."""
    found = connection.execute("SELECT name, definition FROM generator_indexes ORDER BY name").fetchall()
    for name, definition in found:
        if connection.execute("SELECT to_regclass(%s)", [name]).fetchone() == (None,):
            connection.execute(cast("LiteralString", definition))  # PostgreSQL's own words
            say(f"index {name}")
    connection.execute("ANALYZE")
    with connection.transaction():
        for statement in FINISH:
            connection.execute(statement, {**plan.values, "feed": FEED})
    say("chats and feed")
    searchable.rebuild(connection)
    say("search")
    connection.execute("VACUUM ANALYZE")
    with connection.transaction():
        connection.execute("DROP TABLE generator, generator_indexes")
    say("done")


FRAME: tuple[LiteralString, ...] = (
    """
    INSERT INTO generator_indexes (name, definition)
    SELECT i.indexname, i.indexdef
    FROM pg_indexes AS i
    WHERE i.tablename = 'whatsapp_messages' AND i.schemaname = 'public'
        AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conname = i.indexname)
    """,
    """
    INSERT INTO sessions (session_id, state, state_at, state_digest, phone, phone_at, phone_digest)
    SELECT 'session-' || s, 'connected', %(end)s, '', '91980000000' || s, %(end)s, ''
    FROM generate_series(1, %(sessions)s) AS s
    """,
    """
    INSERT INTO session_events (session, event, last_at)
    SELECT s.session, e.event, %(end)s
    FROM sessions AS s
    CROSS JOIN (VALUES ('message.received'), ('test ping')) AS e (event)
    """,
    """
    INSERT INTO chats (session_id, address, kind, own_name, own_name_quality, own_name_at, own_name_digest, name)
    SELECT 'session-' || (1 + i %% %(sessions)s),
        CASE WHEN i %% 50 = 7 THEN '12036304' || lpad(i::text, 10, '0') || '@g.us'
            ELSE '9198' || lpad(i::text, 8, '0') END,
        CASE WHEN i %% 50 = 7 THEN 'group' ELSE 'phone' END, n.name, 1, %(end)s, '', n.name
    FROM generate_series(1, %(chats)s) AS i
    CROSS JOIN LATERAL (
        SELECT (ARRAY['Asha', 'Ravi', 'Meera', 'John', 'Fatima', 'Chen', 'Omar', 'Sofia'])[1 + i %% 8] || ' ' || i
            AS name
    ) AS n
    ORDER BY i
    """,
)
_PLACED: LiteralString = """
    SELECT n, c.chat_id, c.address, c.session_id, s.session, s.phone, h.hash,
        CASE WHEN h.hash %% 100 < 55 THEN 'incoming' ELSE 'outgoing' END AS direction,
        (%(end)s - (%(messages)s - n) * %(step)s) / 1000 * 1000 AS timestamp,
        CASE WHEN h.hash %% 100 BETWEEN 90 AND 94 THEN 'image' ELSE 'text' END AS type
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    CROSS JOIN LATERAL (
        SELECT abs(hashint8extended(n, 1) %% 1000000007) AS hash, abs(hashint8extended(n, 2) %% 1000000) / 1e6 AS part
    ) AS h
    CROSS JOIN LATERAL (
        SELECT 1 + CASE WHEN h.part < 0.1 THEN floor(h.part * 10 * %(big)s)
            ELSE %(big)s + floor((%(chats)s - %(big)s) * power((h.part - 0.1) / 0.9, 2)) END::bigint AS chat_id
    ) AS p
    JOIN chats AS c ON c.chat_id = p.chat_id
    JOIN sessions AS s ON s.session_id = c.session_id
"""
MESSAGES: tuple[LiteralString, ...] = (
    f"CREATE TEMPORARY TABLE placed ON COMMIT DROP AS {_PLACED} ORDER BY n",
    """
    INSERT INTO keys (key_id, session, message_id)
    OVERRIDING SYSTEM VALUE
    SELECT p.n, p.session, 'GEN' || lpad(p.n::text, 12, '0')
    FROM placed AS p
    """,
    """
    INSERT INTO whatsapp_messages (id, message_id, session_id, direction, from_number, to_number, message_type,
        message_text, caption, status, timestamp, created_at, key_id, chat_id, time_source, arrived, raw_type,
        content_state, content_rank, content_time, content_tie, base_status, unread)
    OVERRIDING SYSTEM VALUE
    SELECT p.n, 'GEN' || lpad(p.n::text, 12, '0'), p.session_id, p.direction,
        CASE WHEN p.direction = 'incoming' THEN p.address ELSE p.phone END,
        CASE WHEN p.direction = 'incoming' THEN p.phone ELSE p.address END,
        p.type, CASE WHEN p.type = 'text' THEN w.text END, CASE WHEN p.type = 'image' THEN w.text END,
        CASE WHEN p.direction = 'outgoing' THEN 'delivered' END,
        p.timestamp, to_timestamp(p.timestamp / 1000.0), p.n, p.chat_id, 'message', p.timestamp * 65536 + p.n %% 100,
        CASE WHEN p.type = 'text' THEN 'conversation' ELSE 'imageMessage' END,
        CASE WHEN p.type = 'text' THEN 'complete' ELSE 'media_missing' END,
        1, p.timestamp, p.n, CASE WHEN p.direction = 'outgoing' THEN 'delivered' END,
        p.direction = 'incoming' AND p.n > %(messages)s * 0.99 AND p.chat_id %% 10 = 3
    FROM placed AS p
    CROSS JOIN LATERAL (
        SELECT concat_ws(' ',
            (ARRAY['please', 'thanks', 'hello', 'कृपया', 'شكرا', 'yes', 'when', 'could you'])[1 + p.hash %% 8],
            (ARRAY['confirm', 'send', 'deliver', 'check', 'change', 'cancel', 'pay for'])[1 + p.hash / 8 %% 7],
            (ARRAY['the order', 'the invoice', 'the parcel', 'the blue one', 'दो पीस', 'the address'])
                [1 + p.hash / 56 %% 6],
            CASE WHEN p.hash %% 3 = 0 THEN 'number ' || p.n END,
            (ARRAY['today', 'tomorrow', 'before noon', 'when you can', '😀', '🙏'])[1 + p.hash / 336 %% 6]
        ) AS text
    ) AS w
    ORDER BY p.n
    """,
    """
    INSERT INTO marks (key_id, kind, digest, chat_id, direction, marked_at, text)
    SELECT p.n, 'reaction', sha256(p.n::text::bytea), p.chat_id, 'incoming', p.timestamp + 1000, '👍'
    FROM placed AS p
    WHERE p.hash %% 50 = 0
    """,
    """
    INSERT INTO batches (writer, number, size, upto, stored)
    SELECT '00000000-0000-4000-8000-000000000001', (%(first)s - 1) / 100 + b, least(100, s.size - (b - 1) * 100),
        %(first)s - 1 + least(b * 100, s.size), least(100, s.size - (b - 1) * 100)
    FROM (SELECT (%(last)s - %(first)s + 1)::integer AS size) AS s
    CROSS JOIN LATERAL generate_series(1, (s.size + 99) / 100) AS b
    """,
)
FINISH: tuple[LiteralString, ...] = (
    "SELECT setval(pg_get_serial_sequence('keys', 'key_id'), %(messages)s)",
    "SELECT setval(pg_get_serial_sequence('whatsapp_messages', 'id'), %(messages)s)",
    """
    UPDATE chats AS c
    SET last_timestamp = last.timestamp, last_arrived = last.arrived, last_id = last.id, unread = (
            SELECT count(*) FROM whatsapp_messages AS u WHERE u.chat_id = c.chat_id AND u.unread
        ),
        waiting_since = (
            SELECT w.timestamp
            FROM whatsapp_messages AS w
            WHERE w.chat_id = c.chat_id AND w.direction = 'incoming'
                AND (w.timestamp, w.arrived, w.message_id) > (
                    coalesce(answer.timestamp, 0), coalesce(answer.arrived, 0), coalesce(answer.message_id, '')
                )
            ORDER BY w.timestamp, w.arrived, w.message_id, w.id
            LIMIT 1
        )
    FROM chats AS same
    CROSS JOIN LATERAL (
        SELECT m.timestamp, m.arrived, m.id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = same.chat_id
        ORDER BY m.timestamp DESC, m.arrived DESC, m.message_id DESC, m.id DESC
        LIMIT 1
    ) AS last
    LEFT JOIN LATERAL (
        SELECT m.timestamp, m.arrived, m.message_id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = same.chat_id AND m.direction = 'outgoing' AND m.status IS DISTINCT FROM 'failed'
        ORDER BY m.timestamp DESC, m.arrived DESC, m.message_id DESC
        LIMIT 1
    ) AS answer ON true
    WHERE same.chat_id = c.chat_id
    """,
    """
    INSERT INTO changes (kind, session_id, chat_id, message, changed_at)
    SELECT 'message', m.session_id, m.chat_id, m.id, now()
    FROM whatsapp_messages AS m
    WHERE m.id > %(messages)s - %(feed)s
    ORDER BY m.id
    """,
)
