"""The end of an erasure: names, evidence, sends, the person's chats themselves, and what elsewhere points to them."""

import re
from collections.abc import Mapping, Sequence

from store.erasure import subjects, suppressions, tombstones
from store.erasure.key_store import SuppressionKey
from store.erasure.subjects import ErasureSubject
from store.feed import changes
from store.history import chat_summaries, chats
from store.history.fold import Fold
from store.postgres.connections import Connection

_DIGIT_SEPARATORS = "[ ().+/-]*"
"""What may stand between the digits of a number in a path."""


def erase(connection: Connection, key: SuppressionKey, subject: ErasureSubject) -> Mapping[str, int]:
    """Erase all that is left, in the caller's transaction, which nobody who writes is beside."""
    # A replay that remembers a name, or that looked before it began to lock, is not between its look and its COMMIT.
    suppressions.lock_exclusive(connection)
    chat_ids = subject.chat_ids(connection)
    evidence = _erase_lid_evidence(connection, subject)
    located = chats.lock(
        connection, subjects.chat_addresses(connection, chat_ids) | _candidate_phones(connection, subject)
    )
    sent = _erase_sends(connection, subject, chat_ids)
    names = _erase_names(connection, subject, chat_ids)
    connection.execute(
        """
        DELETE FROM lid_splits AS s
        WHERE s.lid = ANY(%(addresses)s) AND s.created_at <= to_timestamp(%(upto)s / 1000.0)
            AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
        """,
        subject.sql_parameters,
    )
    tombstones.convert_expired(connection, key, subject, chat_ids)
    lids = [place for place, chat in located.items() if chats.kind_of(place[1]) == "lid" and chat.chat_id in chat_ids]
    folding = Fold(connection, (), (), {}, located)
    folding.recompute(sorted(folding.remap_lids(lids)))
    heads = {chat.chat_id for chat in folding.chats_by_address.values()} | {
        chat.canonical_chat_id for chat in folding.chats_by_address.values()
    }
    if heads:
        chat_summaries.refresh(connection, dict.fromkeys(heads, 0), recount=heads)
    gone = _delete_empty_chats(connection, chat_ids)
    _erase_references(connection, subject, chat_ids)
    return {"sends": sent, "evidence": evidence, "names": names, "chats": gone}


def _erase_lid_evidence(connection: Connection, subject: ErasureSubject) -> int:
    """Evidence that came with what was received up to then; newer evidence is of a new history."""
    return connection.execute(
        """
        DELETE FROM lid_aliases AS a
        WHERE (a.lid = ANY(%(addresses)s) OR a.phone = ANY(%(addresses)s))
            AND (%(session)s::text IS NULL OR a.session_id = %(session)s)
            AND NOT EXISTS (SELECT FROM event_digests AS d WHERE d.digest = a.digest AND d.received_at > %(upto)s)
        """,
        subject.sql_parameters,
    ).rowcount


def _candidate_phones(connection: Connection, subject: ErasureSubject) -> set[chats.ChatAddress]:
    """Whom their LIDs may be shown as from now on."""
    found = connection.execute(
        """
        SELECT a.session_id, a.phone
        FROM lid_aliases AS a
        WHERE a.lid = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR a.session_id = %(session)s)
        """,
        subject.sql_parameters,
    )
    return {(str(session_id), str(phone)) for session_id, phone in found}


def _erase_sends(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> int:
    return connection.execute(
        """
        DELETE FROM sends AS s
        WHERE s.timestamp <= %(upto)s AND (
            s.chat_id = ANY(%(chats)s)
            OR s.address = ANY(%(addresses)s) AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
        )
        """,
        {**subject.sql_parameters, "chats": list(chat_ids)},
    ).rowcount


def _erase_names(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> int:
    return connection.execute(
        """
        UPDATE chats AS c
        SET own_name = NULL, own_name_quality = 0, own_name_at = NULL, own_name_digest = NULL, rev = c.rev + 1
        WHERE c.chat_id = ANY(%(chats)s) AND c.own_name IS NOT NULL
            AND NOT EXISTS (SELECT FROM event_digests AS d WHERE d.digest = c.own_name_digest
                AND d.received_at > %(upto)s)
        """,
        {**subject.sql_parameters, "chats": list(chat_ids)},
    ).rowcount


def _delete_empty_chats(connection: Connection, chat_ids: Sequence[int]) -> int:
    """Delete those in which nothing is; one with a new history stays. LIDs first: they may point to the others."""
    gone = 0
    for lids in (True, False):
        gone += connection.execute(
            """
            DELETE FROM chats AS c
            WHERE c.chat_id = ANY(%(chats)s) AND (c.kind = 'lid') = %(lids)s AND c.own_name IS NULL
                AND NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM message_updates AS k WHERE k.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM sends AS s WHERE s.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM chats AS l WHERE l.merged_into = c.chat_id)
                AND NOT EXISTS (
                    SELECT FROM lid_aliases AS a
                    WHERE a.session_id = c.session_id AND (a.lid = c.address OR a.phone = c.address)
                )
            """,
            {"chats": list(chat_ids), "lids": lids},
        ).rowcount
    connection.execute(
        "UPDATE chats SET marked_unread = false WHERE chat_id = ANY(%s) AND last_timestamp IS NULL", [list(chat_ids)]
    )
    return gone


def _erase_references(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> None:
    """The feed, what a replay remembers, paths in the audit log; and whoever reads has to load everything anew."""
    connection.execute(
        """
        DELETE FROM changes AS c
        WHERE c.chat_id = ANY(%s)
            AND (c.message IS NULL OR NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.id = c.message))
        """,
        [list(chat_ids)],
    )
    connection.execute(
        """
        DELETE FROM latest_facts AS s
        WHERE (s.subject = ANY(%(addresses)s) OR s.object = ANY(%(addresses)s))
            AND (%(session)s::text IS NULL OR s.session_id = %(session)s)
        """,
        subject.sql_parameters,
    )
    # Examples of what a replay found may be anybody's words.
    connection.execute("UPDATE replays SET report = report - 'examples' WHERE report ? 'examples'")
    spelled = "|".join(_DIGIT_SEPARATORS.join(re.escape(digit) for digit in number) for number in subject.user_parts)
    if spelled:
        connection.execute(
            r"""
            UPDATE audit_log AS a
            SET path = regexp_replace(a.path, '/api/chats/[^/]*', '/api/chats/forgotten')
            WHERE a.path ~ %(pattern)s AND a.at <= to_timestamp(%(upto)s / 1000.0)
            """,
            {"pattern": f"(?:^|[^0-9])(?:00)?(?:{spelled})(?:[^0-9]|$)", "upto": subject.received_until},
        )
    # A reader that goes on where it was would keep what it has of the person.
    connection.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
    connection.execute("SELECT pg_notify(%s, '')", [changes.CHANNEL])
