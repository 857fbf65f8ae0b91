"""Resolves LIDs to phones by evidence, and moves their messages when the evidence changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from store.history.chats import ChatAddress
from store.model.facts import LidAlias
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class ObservedLidAlias:
    """Evidence, with the time and digest that order it among others."""

    session_id: str
    observed_at: int
    digest: bytes
    alias: LidAlias


@dataclass(frozen=True, slots=True)
class LidRemap:
    """The row of a LID whose canonical chat changed."""

    chat_id: int
    old_canonical_chat_id: int
    new_canonical_chat_id: int


def add_evidence(connection: Connection, evidence: Iterable[ObservedLidAlias]) -> set[ChatAddress]:
    """Store the newest evidence of each pair of LID and phone; returns the LIDs."""
    newest: dict[tuple[str, str, str], ObservedLidAlias] = {}
    for observed in evidence:
        pair = (observed.session_id, observed.alias.lid, observed.alias.phone)
        current = newest.get(pair)
        if current is None or (observed.observed_at, observed.digest) > (current.observed_at, current.digest):
            newest[pair] = observed
    if newest:
        connection.execute(
            """
            INSERT INTO lid_aliases AS a (session_id, lid, phone, observed_at, digest)
            SELECT r.session_id, r.lid, r.phone, r.observed_at, decode(r.digest, 'hex')
            FROM jsonb_to_recordset(%(rows)s::jsonb)
                AS r (session_id text, lid text, phone text, observed_at bigint, digest text)
            ORDER BY r.session_id, r.lid, r.phone
            ON CONFLICT (session_id, lid, phone) DO UPDATE
            SET observed_at = excluded.observed_at, digest = excluded.digest
            WHERE (a.observed_at, a.digest) < (excluded.observed_at, excluded.digest)
            """,
            {
                "rows": json_rows.encode(
                    {
                        "session_id": session_id,
                        "lid": lid,
                        "phone": phone,
                        "observed_at": observed.observed_at,
                        "digest": observed.digest,
                    }
                    for (session_id, lid, phone), observed in newest.items()
                )
            },
        )
    return {(session_id, lid) for session_id, lid, _ in newest}


def resolve_lids(connection: Connection, lids: Iterable[ChatAddress]) -> list[LidRemap]:
    """Merge each of these locked LIDs into the phone that its evidence names; returns those that changed.

    Per LID, the evidence with the greatest (time, digest) wins. Its phone's chat exists and is locked: the fold that
    adds a pair locks both chats.
    """
    wanted = list(lids)
    if not wanted:
        return []
    changed = connection.execute(
        """
        WITH resolved AS (
            SELECT l.chat_id, l.merged_into AS old_canonical_chat_id, phone.chat_id AS new_canonical_chat_id
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (session_id text, lid text)
            JOIN chats AS l ON l.session_id = r.session_id AND l.address = r.lid
            LEFT JOIN LATERAL (
                SELECT a.phone
                FROM lid_aliases AS a
                WHERE a.session_id = r.session_id AND a.lid = r.lid
                ORDER BY a.observed_at DESC, a.digest DESC, a.phone
                LIMIT 1
            ) AS winner ON true
            LEFT JOIN chats AS phone ON phone.session_id = r.session_id AND phone.address = winner.phone
        )
        UPDATE chats AS c
        SET merged_into = m.new_canonical_chat_id, rev = c.rev + 1
        FROM resolved AS m
        WHERE c.chat_id = m.chat_id AND c.merged_into IS DISTINCT FROM m.new_canonical_chat_id
        RETURNING c.chat_id, coalesce(m.old_canonical_chat_id, c.chat_id), coalesce(m.new_canonical_chat_id, c.chat_id)
        """,
        {"rows": json_rows.encode({"session_id": session_id, "lid": lid} for session_id, lid in wanted)},
    )
    return [LidRemap(*row) for row in cast("Iterable[tuple[int, int, int]]", changed)]


def rewrite_phone_numbers(connection: Connection, remaps: Iterable[LidRemap]) -> None:
    """Set from_number and to_number of the messages of these LIDs to their phones, or to null."""
    connection.execute(
        """
        UPDATE whatsapp_messages AS m
        SET from_number = CASE WHEN m.direction = 'incoming' THEN phone.address ELSE m.from_number END,
            to_number = CASE WHEN m.direction = 'outgoing' THEN phone.address ELSE m.to_number END
        FROM chats AS c
        LEFT JOIN chats AS phone ON phone.chat_id = c.merged_into
        WHERE m.chat_id = c.chat_id AND c.chat_id = ANY(%(chats)s)
        """,
        {"chats": [remap.chat_id for remap in remaps]},
    )


def affected_key_ids(connection: Connection, remaps: Iterable[LidRemap]) -> list[int]:
    """The keys of messages that must be recomputed because these LIDs moved to another chat."""
    found = connection.execute(
        """
        SELECT k.key_id FROM message_updates AS k WHERE k.chat_id = ANY(%(chats)s)
        UNION
        SELECT m.key_id
        FROM whatsapp_messages AS m
        WHERE m.chat_id = ANY(%(chats)s)
            AND (
                EXISTS (SELECT FROM message_updates AS k WHERE k.key_id = m.key_id)
                OR EXISTS (SELECT FROM whatsapp_messages AS o WHERE o.key_id = m.key_id AND o.id <> m.id)
            )
        """,
        {"chats": [remap.chat_id for remap in remaps]},
    )
    return [cast("int", key_id) for (key_id,) in found]


def candidate_phones(connection: Connection, lids: Iterable[ChatAddress]) -> set[ChatAddress]:
    """The phones of these LIDs by any evidence; `resolve_lids` chooses among them."""
    found = connection.execute(
        """
        SELECT a.session_id, a.phone
        FROM jsonb_to_recordset(%s::jsonb) AS r (session_id text, lid text)
        JOIN lid_aliases AS a USING (session_id, lid)
        """,
        [json_rows.encode({"session_id": session_id, "lid": lid} for session_id, lid in lids)],
    )
    return set(cast("Iterable[ChatAddress]", found))


def phone_of(connection: Connection, session_id: str, lid: str) -> str | None:
    """The phone to which a LID is resolved in this session; None if it is not."""
    row = connection.execute(
        """
        SELECT phone.address
        FROM chats AS l
        JOIN chats AS phone ON phone.chat_id = l.merged_into
        WHERE l.session_id = %s AND l.address = %s
        """,
        [session_id, lid],
    ).fetchone()
    return None if row is None else str(row[0])
