"""Computes statistics of conversations: numbers of messages, response times, waiting and unread chats."""

from dataclasses import asdict, dataclass
from typing import Literal, LiteralString, TypeAlias, cast

from store.model import addresses
from store.postgres import pool
from store.postgres.connections import Connection
from store.reading.fragments.json_views import iso_ms
from store.reading.fragments.unread_sql import IS_UNREAD, UNREAD_COUNT

TimeStep: TypeAlias = Literal["minute", "hour", "day", "week"]

_MINUTE = 60_000
_QUARTER_OF_AN_HOUR = 15 * _MINUTE
"""A quarter of an hour in ms. Since 2009, when WhatsApp began, the hours and days of all time zones begin at one."""
_IS_ANSWER: LiteralString = "(m.direction = 'outgoing' AND m.status IS DISTINCT FROM 'failed')"


@dataclass(frozen=True, slots=True)
class StatisticsPeriod:
    since: int
    """In ms, inclusive."""
    until: int
    """In ms, exclusive."""
    time_zone: str
    """A name from the time zone database. PostgreSQL rejects others with PermanentError."""
    step: TimeStep
    sessions: tuple[str, ...] | None

    def parameters(self) -> dict[str, object]:
        sessions = None if self.sessions is None else list(self.sessions)
        slice_ms = _MINUTE if self.step == "minute" else _QUARTER_OF_AN_HOUR
        return {**asdict(self), "zone": self.time_zone, "sessions": sessions, "slice": slice_ms}


def read(connection: Connection, period: StatisticsPeriod) -> str:
    """Return all statistics as a JSON object. Raises PermanentError if the time zone does not exist."""
    with connection.transaction():
        connection.execute(f"SELECT {pool.PLAN_FOR_VALUES}, {pool.SORT_AND_SCAN}")
        # A query that matches no messages would not check the time zone.
        connection.execute("SELECT now() AT TIME ZONE %(zone)s", period.parameters())
        parts = {
            "messages": message_counts(connection, period),
            "first_responses": response_times(connection, period),
            "waiting": waiting_chats(connection, period),
            "unread": unread_totals(connection, period),
            "auto_replies": auto_replies(connection, period),
        }
    return "{" + ",".join(f'"{name}":{part}' for name, part in parts.items()) + "}"


def message_counts(connection: Connection, period: StatisticsPeriod) -> str:
    """Return the number of messages per step, session and direction as JSON. Steps without messages are left out."""
    return _fetch_json(
        connection,
        f"""
        SELECT coalesce(json_agg(row_to_json(step) ORDER BY step.begins, step.session_id), '[]')::text
        FROM (
            SELECT {_iso(_step_of("slice.begins"))} AS begins, slice.session_id,
                sum(slice.incoming)::bigint AS incoming, sum(slice.outgoing)::bigint AS outgoing
            FROM (
                -- Counted by slices first, because the step of a time takes longer to compute than the rest.
                SELECT m.timestamp / %(slice)s * %(slice)s AS begins, m.session_id,
                    count(*) FILTER (WHERE m.direction = 'incoming') AS incoming,
                    count(*) FILTER (WHERE m.direction = 'outgoing') AS outgoing
                FROM whatsapp_messages AS m
                WHERE m.timestamp >= %(since)s AND m.timestamp < %(until)s AND NOT m.is_duplicate
                    AND (%(sessions)s::text[] IS NULL OR m.session_id = ANY(%(sessions)s))
                GROUP BY 1, 2
            ) AS slice
            GROUP BY 1, 2
        ) AS step
        """,
        period,
    )


def response_times(connection: Connection, period: StatisticsPeriod) -> str:
    """Return response times in seconds, and the numbers of questions and of answers in the period, as JSON.

    The values are given in total, by the step in which the wait began, and by session (for an account, its first one).
    Steps and sessions without a question are left out.
    """
    return _fetch_json(
        connection,
        f"""
        WITH ordered AS (
            SELECT c.canonical_chat_id, m.timestamp, {_IS_ANSWER} AS is_answer,
                m.direction = 'incoming' AND (lag(m.direction) OVER w) IS DISTINCT FROM 'incoming' AS is_question,
                lag({_IS_ANSWER}) OVER w AS follows_answer, count(*) FILTER (WHERE {_IS_ANSWER}) OVER w AS answers
            FROM whatsapp_messages AS m
            JOIN chats AS c USING (chat_id)
            WHERE m.timestamp >= %(since)s AND m.timestamp < %(until)s AND NOT m.is_duplicate
                AND c.kind IN {addresses.ANSWERED_KINDS}
                -- Notices of a group need no answer.
                AND NOT (c.kind = 'group' AND m.message_type = 'system')
                AND (%(sessions)s::text[] IS NULL OR m.session_id = ANY(%(sessions)s))
            WINDOW w AS (
                PARTITION BY c.canonical_chat_id ORDER BY m.timestamp, m.receive_order, m.message_id, m.id
                ROWS UNBOUNDED PRECEDING
            )
        ),
        -- Each question with its answer: the one before which there are as many answers as before the question.
        turns AS (
            SELECT o.canonical_chat_id, o.timestamp, o.is_question, min(o.timestamp) FILTER (WHERE o.is_answer)
                    OVER (PARTITION BY o.canonical_chat_id, o.answers - o.is_answer::integer) AS answered
            FROM ordered AS o
            WHERE o.is_question OR o.is_answer AND o.follows_answer IS NOT TRUE
        ),
        questions AS (
            SELECT {_step_of("t.timestamp")} AS begins, c.session_id, (t.answered - t.timestamp) / 1000.0 AS seconds
            FROM turns AS t
            JOIN chats AS c ON c.chat_id = t.canonical_chat_id
            WHERE t.is_question
        ),
        counted AS (
            SELECT q.begins, q.session_id, count(*) AS asked, count(q.seconds) AS answered,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY q.seconds) AS median_seconds,
                percentile_cont(0.9) WITHIN GROUP (ORDER BY q.seconds) AS p90_seconds
            FROM questions AS q
            GROUP BY GROUPING SETS ((), (q.begins), (q.session_id))
        )
        SELECT json_build_object(
            'asked', total.asked, 'answered', total.answered,
            'median_seconds', total.median_seconds, 'p90_seconds', total.p90_seconds,
            'by_step', {_responses_by("begins", _iso("n.begins"))},
            'by_session', {_responses_by("session_id", "n.session_id")}
        )::text
        FROM counted AS total
        WHERE total.begins IS NULL AND total.session_id IS NULL
        """,
        period,
    )


def _responses_by(column: LiteralString, value: LiteralString) -> LiteralString:
    """Return SQL for the response times by a grouping column, which is shown as `value`."""
    return f"""(
        SELECT coalesce(json_agg(row_to_json(part) ORDER BY part.{column}), '[]')
        FROM (
            SELECT {value} AS {column}, n.asked, n.answered, n.median_seconds, n.p90_seconds
            FROM counted AS n
            WHERE n.{column} IS NOT NULL
        ) AS part
    )"""


def waiting_chats(connection: Connection, period: StatisticsPeriod) -> str:
    """Return the chats that are waiting now as JSON: their number, the ten oldest, and numbers by session."""
    return _fetch_json(
        connection,
        f"""
        WITH waiting AS (
            SELECT c.session_id, c.address, c.name, c.waiting_since
            FROM chats AS c
            WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL AND c.waiting_since IS NOT NULL
                AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
        )
        SELECT json_build_object(
            'chats', (SELECT count(*) FROM waiting),
            'longest', (
                SELECT coalesce(json_agg(row_to_json(longest)), '[]')
                FROM (
                    SELECT w.session_id, w.address, w.name, {iso_ms("w.waiting_since")} AS waiting_since
                    FROM waiting AS w
                    ORDER BY w.waiting_since, w.session_id, w.address
                    LIMIT 10
                ) AS longest
            ),
            'by_session', (
                SELECT coalesce(json_agg(row_to_json(session) ORDER BY session.session_id), '[]')
                FROM (
                    SELECT w.session_id, count(*) AS chats, {iso_ms("min(w.waiting_since)")} AS waiting_since
                    FROM waiting AS w
                    GROUP BY w.session_id
                ) AS session
            )
        )::text
        """,
        period,
    )


def unread_totals(connection: Connection, period: StatisticsPeriod) -> str:
    """Return the numbers of unread messages and chats as JSON. They are current and do not depend on the period."""
    return _fetch_json(
        connection,
        f"""
        SELECT json_build_object('messages', coalesce(sum({UNREAD_COUNT}), 0), 'chats', count(*))::text
        FROM chats AS c
        WHERE c.merged_into IS NULL AND c.last_timestamp IS NOT NULL AND {IS_UNREAD}
            AND (%(sessions)s::text[] IS NULL OR c.session_id = ANY(%(sessions)s))
        """,
        period,
    )


def auto_replies(connection: Connection, period: StatisticsPeriod) -> str:
    """Return as JSON whether the gateway of each session replies automatically, as last reported."""
    return _fetch_json(
        connection,
        f"""
        SELECT coalesce(json_agg(row_to_json(reported) ORDER BY reported.session_id), '[]')::text
        FROM (
            SELECT w.session_id, w.auto_reply AS enabled, {iso_ms("w.auto_reply_at")} AS reported_at
            FROM session_checks AS w
            WHERE w.auto_reply IS NOT NULL AND (%(sessions)s::text[] IS NULL OR w.session_id = ANY(%(sessions)s))
        ) AS reported
        """,
        period,
    )


def _step_of(timestamp: LiteralString) -> LiteralString:
    """Return SQL for the start of the step that contains a time in ms."""
    return f"date_trunc(%(step)s, to_timestamp({timestamp} / 1000.0), %(zone)s)"


def _iso(begins: LiteralString) -> LiteralString:
    """Return SQL for the start of a step in ISO 8601."""
    return f"""to_char({begins} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _fetch_json(connection: Connection, query: LiteralString, period: StatisticsPeriod) -> str:
    row = connection.execute(query, period.parameters()).fetchone()
    assert row is not None, "an aggregate has a row"
    return cast("str", row[0])
