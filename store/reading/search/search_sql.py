"""Builds the SQL of the message search."""

from typing import LiteralString

from store.reading.fragments.annotation_sql import HAS_LABEL
from store.reading.fragments.chat_scope import MEMBERS_CTE
from store.reading.fragments.message_json import MESSAGE_BYTES
from store.reading.fragments.unread_sql import IS_UNREAD
from store.reading.messages import found_page
from store.reading.search.search_query import SearchQuery


def build(  # noqa: PLR0913 - ways to search
    conditions: LiteralString,
    query: SearchQuery,
    *,
    newest_only: bool = False,
    scan_chat: bool = False,
    sort_matches: bool = False,
    count_only: bool = False,
) -> LiteralString:
    """Build the query of a page, or of the number of matches (at most `limit`) if `count_only` is set.

    `newest_only` searches only the newest messages, without the trigram index. `scan_chat` scans the chat for the words
    instead of filtering the matches of the index by chat. `sort_matches` finds all matches before sorting them.
    """
    in_chat: LiteralString = "true"
    if query.address is not None:
        # `+ 0` keeps PostgreSQL from using the index by chat.
        chat_id: LiteralString = "s.chat_id" if scan_chat else "s.chat_id + 0"
        in_chat = f"{chat_id} = ANY(ARRAY(SELECT x.chat_id FROM members AS x))"
    source: LiteralString = "search_index"
    remaining_conditions = conditions
    if sort_matches and not scan_chat:
        source = f"(SELECT s.* FROM search_index AS s WHERE {conditions} OFFSET 0)"
        # Comparing a document with a similar word takes microseconds, so it is done once.
        remaining_conditions = "true"
    if newest_only:
        newest: LiteralString = """
            SELECT s.id, s.chat_id, s.session_id, s.direction, s.message_type, s.timestamp, s.text
            FROM search_index AS s
            WHERE (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
        """
        end: LiteralString = "ORDER BY s.timestamp DESC, s.id DESC LIMIT %(window)s"
        source = f"({newest} {end})"
        if query.address is not None:
            source = f"""(
                SELECT s.*
                FROM members AS x
                CROSS JOIN LATERAL ({newest} AND s.chat_id = x.chat_id {end}) AS s
                {end}
            )"""
    found: LiteralString = f"""
        SELECT s.timestamp, s.id, m.bytes, canonical.chat_id AS canonical_chat_id
        FROM (
            SELECT s.timestamp, s.id
            FROM {source} AS s
            WHERE {remaining_conditions} AND {in_chat} AND (s.timestamp, s.id) < (%(timestamp)s, %(id)s)
                AND s.timestamp >= %(since)s AND s.timestamp < %(until)s
                AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
                AND (%(direction)s::text IS NULL OR s.direction = %(direction)s)
                AND (%(type)s::text IS NULL OR s.message_type = %(type)s)
            ORDER BY s.timestamp DESC, s.id DESC OFFSET 0
        ) AS s
        CROSS JOIN LATERAL (
            SELECT {MESSAGE_BYTES} AS bytes, m.chat_id
            FROM whatsapp_messages AS m
            WHERE m.id = s.id AND NOT m.is_duplicate AND m.deleted_at IS NULL AND (NOT %(starred)s OR m.starred)
            LIMIT 1
        ) AS m
        CROSS JOIN LATERAL (
            SELECT c.chat_id
            FROM chats AS member
            JOIN chats AS c ON c.chat_id = member.canonical_chat_id
            WHERE member.chat_id = m.chat_id
                AND (%(chat_kind)s::text IS NULL OR c.kind = %(chat_kind)s)
                AND (NOT %(waiting)s OR c.waiting_since IS NOT NULL)
                AND (NOT %(unread)s OR {IS_UNREAD})
                AND (%(label)s::text IS NULL OR {HAS_LABEL})
            LIMIT 1
        ) AS canonical
        ORDER BY s.timestamp DESC, s.id DESC LIMIT %(limit)s
    """
    if count_only:
        return f"WITH {MEMBERS_CTE} SELECT count(*) FROM ({found}) AS found"
    return f"WITH {MEMBERS_CTE} {found_page.build(found)}"
