"""Erases what is left in the last stage: names, LID evidence, sends, labels, notes, empty chats and references to them.

It also writes tables of packages that it may not import: `sends`, `replays`, labels and notes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from store.erasure import mentions, subjects, suppressions, tombstones
from store.erasure.key_store import SuppressionKey
from store.erasure.subjects import ErasureSubject
from store.feed import changes
from store.history.chats import chat_summaries, chats, lid_aliases
from store.history.fold import Fold
from store.history.sessions import accounts
from store.postgres.connections import Connection


def erase(connection: Connection, key: SuppressionKey, subject: ErasureSubject) -> Mapping[str, int]:
    """Erase the remainder in the caller's transaction, while no other process writes the history."""
    # The lock waits for writers, including a replay that is folding one of the subject's names.
    suppressions.lock_exclusive(connection)
    chat_ids = subject.chat_ids(connection)
    aliases = lid_aliases.related(connection, subjects.chat_addresses(connection, chat_ids))
    lid_evidence = _erase_lid_evidence(connection, subject)
    locked_chats = chats.lock(connection, aliases)
    sends = _erase_sends(connection, subject, chat_ids)
    names = _erase_names(connection, subject, chat_ids)
    annotations = _erase_annotations(connection, subject, chat_ids)
    tombstones.convert_expired(connection, key, subject, chat_ids)
    folding = Fold(connection, (), (), {}, locked_chats, accounts.lock(connection))
    folding.recompute(sorted(folding.remap_lids(aliases)))
    folded = folding.chats_by_address.values()
    chat_summaries.recount(connection, {each for chat in folded for each in (chat.chat_id, chat.canonical_chat_id)})
    deleted_chats = _delete_empty_chats(connection, chat_ids)
    _erase_references(connection, subject, chat_ids)
    return {"sends": sends, "lid_evidence": lid_evidence, "names": names, "chats": deleted_chats, **annotations}


def _erase_lid_evidence(connection: Connection, subject: ErasureSubject) -> int:
    """Erase evidence that was received before the erasure. Later evidence belongs to a new history."""
    return connection.execute(
        """
        DELETE FROM lid_aliases AS a
        WHERE (a.lid = ANY(%(addresses)s) OR a.phone = ANY(%(addresses)s))
            AND (%(sessions)s::text[] IS NULL OR a.session_id = ANY(%(sessions)s))
            AND NOT EXISTS (
                SELECT FROM event_digests AS d WHERE d.digest = a.digest AND d.received_at > %(received_until)s
            )
        """,
        subject.sql_parameters,
    ).rowcount


def _erase_sends(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> int:
    return connection.execute(
        """
        DELETE FROM sends AS s
        WHERE s.timestamp <= %(received_until)s AND (
            s.chat_id = ANY(%(chats)s)
            OR s.address = ANY(%(addresses)s) AND (%(sessions)s::text[] IS NULL OR s.session_id = ANY(%(sessions)s))
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
            AND NOT EXISTS (
                SELECT FROM event_digests AS d WHERE d.digest = c.own_name_digest AND d.received_at > %(received_until)s
            )
        """,
        {**subject.sql_parameters, "chats": list(chat_ids)},
    ).rowcount


def _erase_annotations(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> dict[str, int]:
    parameters = {**subject.sql_parameters, "chats": list(chat_ids)}
    labels = connection.execute(
        """
        DELETE FROM chat_labels AS l
        WHERE l.chat_id = ANY(%(chats)s) AND l.created_at <= to_timestamp(%(received_until)s / 1000.0)
        """,
        parameters,
    ).rowcount
    notes = connection.execute(
        """
        DELETE FROM chat_notes AS n
        WHERE n.chat_id = ANY(%(chats)s) AND n.created_at <= to_timestamp(%(received_until)s / 1000.0)
        """,
        parameters,
    ).rowcount
    return {"labels": labels, "notes": notes}


def _delete_empty_chats(connection: Connection, chat_ids: Sequence[int]) -> int:
    """Delete the chats that have no new history and return their number."""
    deleted = 0
    # Merged rows are deleted first, because they refer to the others.
    for merged in (True, False):
        deleted += connection.execute(
            """
            DELETE FROM chats AS c
            WHERE c.chat_id = ANY(%(chats)s) AND (c.merged_into IS NOT NULL) = %(merged)s AND c.own_name IS NULL
                AND NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM message_updates AS u WHERE u.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM sends AS s WHERE s.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM chat_labels AS l WHERE l.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM chat_notes AS n WHERE n.chat_id = c.chat_id)
                AND NOT EXISTS (SELECT FROM chats AS l WHERE l.merged_into = c.chat_id)
                AND NOT EXISTS (
                    SELECT FROM lid_aliases AS a
                    WHERE a.session_id = c.session_id AND (a.lid = c.address OR a.phone = c.address)
                )
            """,
            {"chats": list(chat_ids), "merged": merged},
        ).rowcount
    connection.execute(
        "UPDATE chats SET marked_unread = false WHERE chat_id = ANY(%s) AND last_timestamp IS NULL", [list(chat_ids)]
    )
    return deleted


def _erase_references(connection: Connection, subject: ErasureSubject, chat_ids: Sequence[int]) -> None:
    """Erase the subject from the change feed, replays, paths in the audit log and names, and start a new epoch."""
    connection.execute(
        """
        DELETE FROM changes AS c
        WHERE c.chat_id = ANY(%s)
            AND (c.message IS NULL OR NOT EXISTS (SELECT FROM whatsapp_messages AS m WHERE m.id = c.message))
        """,
        [list(chat_ids)],
    )
    # The examples in a replay's report may quote any message.
    connection.execute("UPDATE replays SET report = report - 'examples' WHERE report ? 'examples'")
    _erase_audited_paths(connection, subject)
    _erase_session_names(connection, subject)
    # A reader that resumed from an old cursor would keep its copies of the subject's messages.
    connection.execute("UPDATE feed_epoch SET epoch = gen_random_uuid()")
    connection.execute("SELECT pg_notify(%s, '')", [changes.CHANNEL])


def _erase_audited_paths(connection: Connection, subject: ErasureSubject) -> None:
    """Erase paths that an earlier version recorded as requested, with addresses."""
    pattern = subject.mention_pattern()
    parameters = {"received_until": subject.received_until}
    cursor = connection.execute(
        """
        SELECT DISTINCT a.path
        FROM audit_log AS a
        WHERE a.at <= to_timestamp(%(received_until)s / 1000.0)
        """,
        parameters,
    )
    paths = [path for (path,) in cast("Iterable[tuple[str]]", cursor) if mentions.occurs(pattern, path.encode())]
    connection.execute(
        """
        UPDATE audit_log AS a
        SET path = '/forgotten'
        WHERE a.path = ANY(%(paths)s) AND a.at <= to_timestamp(%(received_until)s / 1000.0)
        """,
        {**parameters, "paths": paths},
    )


def _erase_session_names(connection: Connection, subject: ErasureSubject) -> None:
    """Erase names of sessions that contain an address of the subject."""
    pattern = subject.mention_pattern()
    named = connection.execute("SELECT n.session_number, n.name FROM session_names AS n WHERE n.name IS NOT NULL")
    found = [
        number for number, name in cast("Iterable[tuple[int, str]]", named) if mentions.occurs(pattern, name.encode())
    ]
    connection.execute("UPDATE session_names SET name = NULL WHERE session_number = ANY(%s)", [found])
