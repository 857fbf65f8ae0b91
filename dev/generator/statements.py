"""Defines the statements that generate a history (dev/generator/steps.py), in the order in which they run.

PostgreSQL generates everything itself, in independent parts: a message depends only on its number. The rows are those
that the worker would have written for such events; a test checks this.
"""

from typing import LiteralString

TERM_RANKS = 20_000
"""The number of terms. A third of all messages have one; the frequency of a term is proportional to 1 / its rank."""
TERM: LiteralString = """
    CASE r.rank % 3
        WHEN 0 THEN chr((19968 + r.rank * 7 % 1500)::int) || chr((19968 + r.rank * r.rank % 1500)::int)
        WHEN 1 THEN chr((97 + r.rank / 3 % 26)::int) || chr((97 + r.rank / 78 % 26)::int)
        ELSE translate(left(md5(r.rank::text), (5 + r.rank % 5)::int), '0123456789', 'ghijklmnop')
    END
"""
"""The term of a rank `r.rank`: a Chinese word, a word of two letters, or a longer one."""
CREATE_BOOKKEEPING: tuple[LiteralString, ...] = (
    "CREATE TABLE generator (messages bigint, chats bigint)",
    "CREATE TABLE generator_parts (part integer PRIMARY KEY, first bigint, last bigint, done boolean DEFAULT false)",
    "CREATE TABLE generator_indexes (name text, owner text, is_constraint boolean, definition text)",
)
SETUP: tuple[LiteralString, ...] = (
    """
    INSERT INTO generator_parts (part, first, last)
    SELECT (f.first - 1) / %(part)s + 1, f.first, least(f.first + %(part)s - 1, %(messages)s)
    FROM generate_series(1, %(messages)s, %(part)s) AS f (first)
    """,
    """
    INSERT INTO generator_indexes (name, owner, is_constraint, definition)
    SELECT i.indexname, i.tablename, false, i.indexdef
    FROM pg_indexes AS i
    WHERE i.tablename IN ('whatsapp_messages', 'search_index', 'message_updates') AND i.schemaname = 'public'
        AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conname = i.indexname)
    UNION ALL
    -- Its entries come in random order, so each takes longer as it grows.
    SELECT c.conname, 'event_digests', true, format('ALTER TABLE event_digests ADD CONSTRAINT %%I %%s', c.conname,
        pg_get_constraintdef(c.oid))
    FROM pg_constraint AS c
    WHERE c.conrelid = 'event_digests'::regclass AND c.contype = 'p'
    """,
    """
    INSERT INTO sessions (session_id, state, state_at, state_digest, phone, phone_at, phone_digest)
    SELECT 'session-' || s, 'connected', %(end)s, '', '91980000000' || s, %(end)s, ''
    FROM generate_series(1, %(sessions)s) AS s
    """,
    """
    INSERT INTO session_events (session_number, event, last_at)
    SELECT s.session_number, e.event, %(end)s
    FROM sessions AS s
    CROSS JOIN (VALUES ('message.received'), ('message.sent'), ('test ping')) AS e (event)
    """,
    """
    INSERT INTO chats (session_id, address, kind, own_name, own_name_quality, own_name_at, own_name_digest, name)
    SELECT 'session-' || (1 + i %% %(sessions)s),
        CASE WHEN i %% 50 = 7 THEN '12036304' || lpad(i::text, 10, '0') || '@g.us'
            ELSE '9198' || lpad(i::text, 8, '0') END,
        CASE WHEN i %% 50 = 7 THEN 'group' ELSE 'phone' END, n.name, 1, %(end)s, '', n.name
    FROM generate_series(1, %(chats)s) AS i
    CROSS JOIN LATERAL (
        SELECT concat_ws(' ',
            (ARRAY['Asha', 'Ravi', 'Meera', 'John', 'Fatima', 'Chen', 'Omar', 'Sofia', 'Priya', 'Arjun', 'Lakshmi',
                'Mohammed', 'Anjali', 'Vikram', 'Deepa', 'Suresh', 'Kavita', 'Imran', 'Nisha', 'Rahul', 'Pooja',
                'Sanjay', 'Geeta', 'Amit'])[1 + i %% 24],
            (ARRAY['Sharma', 'Gupta', 'Patel', 'Reddy', 'Nair', 'Khan', 'Singh', 'Joshi', 'Mehta', 'Verma', 'Pillai',
                'Shah', 'Kapoor', 'Menon', 'Mishra', 'Yadav', 'Chopra', 'Kulkarni', 'Banerjee', 'Fernandes', 'Thomas',
                'Hussain', 'Agarwal', 'Pandey'])[1 + i / 24 %% 24],
            i
        ) AS name
    ) AS n
    ORDER BY i
    """,
)
CLAIM_BATCH: LiteralString = """
UPDATE generator_parts
SET done = true
WHERE part = (
    SELECT p.part
    FROM generator_parts AS p
    WHERE NOT p.done
    ORDER BY p.part
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING part, first, last
"""
_GENERATED_MESSAGES: LiteralString = """
    SELECT n, c.chat_id, c.address, c.kind, c.session_id, s.session_number, s.phone, h.hash,
        'GEN' || lpad(n::text, 12, '0') AS message_id,
        CASE WHEN h.hash %% 100 < 55 THEN 'incoming' ELSE 'outgoing' END AS direction,
        t.at / 1000 * 1000 AS timestamp, t.at AS received_at,
        CASE WHEN h.hash %% 100 BETWEEN 50 AND 54 OR h.hash %% 100 > 95 THEN 'image' ELSE 'text' END AS type,
        sha256(n::text::bytea) AS digest,
        CASE WHEN c.kind = 'group' AND h.hash %% 100 < 55 THEN '9198' || lpad((1 + h.hash %% %(chats)s)::text, 8, '0')
            END AS sender
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    CROSS JOIN LATERAL (
        SELECT abs(hashint8extended(n, 1) %% 1000000007) AS hash, abs(hashint8extended(n, 2) %% 1000000) / 1e6 AS part
    ) AS h
    CROSS JOIN LATERAL (SELECT %(end)s - (%(messages)s - n) * %(step)s AS at) AS t
    CROSS JOIN LATERAL (
        SELECT 1 + CASE WHEN h.part < 0.1 THEN floor(h.part * 10 * %(big)s)
            ELSE %(big)s + floor((%(chats)s - %(big)s) * power((h.part - 0.1) / 0.9, 2)) END::bigint AS chat_id
    ) AS p
    JOIN chats AS c ON c.chat_id = p.chat_id
    JOIN sessions AS s ON s.session_id = c.session_id
"""
WRITE_BATCH: tuple[LiteralString, ...] = (
    f"CREATE TEMPORARY TABLE placed ON COMMIT DROP AS {_GENERATED_MESSAGES} ORDER BY n",
    """
    INSERT INTO message_keys (key_id, session_number, message_id)
    OVERRIDING SYSTEM VALUE
    SELECT p.n, p.session_number, p.message_id
    FROM placed AS p
    """,
    f"""
    INSERT INTO whatsapp_messages (id, message_id, session_id, direction, from_number, to_number, message_type,
        message_text, caption, status, timestamp, created_at, key_id, chat_id, time_source, receive_order, raw_type,
        content_state, sender, sender_name, content_rank, content_time, content_tie, base_status, unread, rev)
    OVERRIDING SYSTEM VALUE
    SELECT p.n, p.message_id, p.session_id, p.direction,
        CASE WHEN p.direction = 'outgoing' THEN p.phone WHEN p.kind = 'group' THEN p.sender ELSE p.address END,
        CASE WHEN p.direction = 'incoming' THEN p.phone WHEN p.kind = 'phone' THEN p.address END,
        p.type, CASE WHEN p.type = 'text' THEN w.text END, CASE WHEN p.type = 'image' THEN w.text END,
        CASE WHEN p.direction = 'outgoing' THEN 'delivered' END,
        p.timestamp, to_timestamp(p.received_at / 1000.0), p.n, p.chat_id, 'message',
        p.received_at * 65536 + (p.n - 1) %% 100,
        CASE WHEN p.type = 'text' THEN 'conversation' ELSE 'imageMessage' END,
        CASE WHEN p.type = 'text' THEN 'complete' ELSE 'media_missing' END,
        p.sender, CASE WHEN p.sender IS NOT NULL THEN 'Member ' || p.hash %% 1000 END,
        CASE WHEN p.type = 'text' THEN 5 ELSE 3 END, p.timestamp,
        -- As a bigint in the digest's own order (store/history/messages/messages.py).
        ('x' || encode(substr(p.digest, 1, 8), 'hex'))::bit(64)::bigint # (-9223372036854775808),
        CASE WHEN p.direction = 'outgoing' THEN 'sent' END,
        p.direction = 'incoming' AND p.n > %(messages)s * 0.99 AND p.chat_id %% 10 = 3,
        -- Its ack changed it once more.
        CASE WHEN p.direction = 'outgoing' THEN 2 ELSE 1 END
    FROM placed AS p
    CROSS JOIN LATERAL (
        SELECT {TERM.replace("%", "%%")} AS term
        FROM (SELECT power(%(ranks)s::float8, p.hash / 3 %% 1000003 / 1000003::float8)::bigint AS rank) AS r
    ) AS t
    CROSS JOIN LATERAL (
        SELECT concat_ws(' ',
            (ARRAY['please', 'thanks', 'hello', 'कृपया', 'شكرا', 'yes', 'when', 'could you'])[1 + p.hash %% 8],
            (ARRAY['confirm', 'send', 'deliver', 'check', 'change', 'cancel', 'pay for'])[1 + p.hash / 8 %% 7],
            (ARRAY['the order', 'the invoice', 'the parcel', 'the blue one', 'दो पीस', 'the address'])
                [1 + p.hash / 56 %% 6],
            CASE p.hash %% 3 WHEN 0 THEN 'number ' || p.n
                WHEN 1 THEN 'sku' || substr(md5((p.hash / 3 %% 50000)::text), 1, 6) ELSE t.term END,
            (ARRAY['today', 'tomorrow', 'before noon', 'when you can', '😀', '🙏'])[1 + p.hash / 336 %% 6]
        ) AS text
    ) AS w
    ORDER BY p.n
    """,  # noqa: S608 - assembled from literals only, which the type proves
    """
    CREATE TEMPORARY TABLE marked ON COMMIT DROP AS
    SELECT p.n, p.chat_id, 'reaction' AS kind, sha256((p.n || 'r')::bytea) AS digest, 'incoming' AS direction,
        p.received_at + 1000 AS occurred_at, NULL AS status, '👍' AS text
    FROM placed AS p
    WHERE p.hash %% 50 = 0
    UNION ALL
    SELECT p.n, p.chat_id, 'ack', sha256((p.n || 'a')::bytea), NULL, p.received_at + 500, 'delivered', NULL
    FROM placed AS p
    WHERE p.direction = 'outgoing'
    """,
    """
    INSERT INTO message_updates (key_id, kind, digest, chat_id, direction, occurred_at, status, text)
    SELECT m.n, m.kind, m.digest, m.chat_id, m.direction, m.occurred_at, m.status, m.text
    FROM marked AS m
    ORDER BY m.n, m.kind
    """,
    """
    INSERT INTO event_digests (digest, received_at, outcome)
    SELECT p.digest, p.received_at, 'stored'
    FROM placed AS p
    UNION ALL
    SELECT m.digest, m.occurred_at, 'stored'
    FROM marked AS m
    """,
    # Each part belongs to one ingest process. A batch contains a hundred messages and their updates.
    """
    INSERT INTO batches (writer, number, size, upto, stored, committed_at)
    SELECT ('00000000-0000-4000-8000-' || lpad(%(part)s::text, 12, '0'))::uuid, 1 + b.number, b.size,
        sum(b.size) OVER (ORDER BY b.number), b.size, to_timestamp(b.last_at / 1000.0)
    FROM (
        SELECT (e.n - %(first)s) / 100 AS number, count(*) AS size, max(e.at) AS last_at
        FROM (
            SELECT p.n, p.received_at AS at FROM placed AS p
            UNION ALL
            SELECT m.n, m.occurred_at AS at FROM marked AS m
        ) AS e
        GROUP BY 1
    ) AS b
    ORDER BY b.number
    """,
    """
    INSERT INTO writers (writer, number, upto, spooled, seen_at)
    SELECT b.writer, b.number, b.upto, 0, b.committed_at
    FROM batches AS b
    WHERE b.writer = ('00000000-0000-4000-8000-' || lpad(%(part)s::text, 12, '0'))::uuid
    ORDER BY b.number DESC
    LIMIT 1
    """,
)
FINISH: tuple[LiteralString, ...] = (
    "SELECT setval(pg_get_serial_sequence('message_keys', 'key_id'), %(messages)s)",
    "SELECT setval(pg_get_serial_sequence('whatsapp_messages', 'id'), %(messages)s)",
    """
    UPDATE chats AS c
    SET last_timestamp = last.timestamp, last_receive_order = last.receive_order, last_id = last.id, unread = (
            SELECT count(*) FROM whatsapp_messages AS u WHERE u.chat_id = c.chat_id AND u.unread
        ),
        waiting_since = (
            SELECT w.timestamp
            FROM whatsapp_messages AS w
            WHERE w.chat_id = c.chat_id AND w.direction = 'incoming'
                AND (w.timestamp, w.receive_order, w.message_id) > (
                    coalesce(answer.timestamp, 0), coalesce(answer.receive_order, 0), coalesce(answer.message_id, '')
                )
            ORDER BY w.timestamp, w.receive_order, w.message_id, w.id
            LIMIT 1
        )
    FROM chats AS same
    CROSS JOIN LATERAL (
        SELECT m.timestamp, m.receive_order, m.id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = same.chat_id
        ORDER BY m.timestamp DESC, m.receive_order DESC, m.message_id DESC, m.id DESC
        LIMIT 1
    ) AS last
    LEFT JOIN LATERAL (
        SELECT m.timestamp, m.receive_order, m.message_id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = same.chat_id AND m.direction = 'outgoing' AND m.status IS DISTINCT FROM 'failed'
        ORDER BY m.timestamp DESC, m.receive_order DESC, m.message_id DESC
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
