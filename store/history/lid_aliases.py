"""Which LID is which phone: evidence, what it amounts to, and what follows when that changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from store.history.chats import ChatAddress
from store.model.facts import LidAlias
from store.postgres import json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class ObservedLidAlias:
    """Evidence with what orders it among others."""

    session_id: str
    observed_at: int
    digest: bytes
    alias: LidAlias


@dataclass(frozen=True, slots=True)
class LidRemap:
    """A LID's row that is shown in another chat from now on."""

    chat_id: int
    old_canonical_chat_id: int
    new_canonical_chat_id: int


def add_evidence(connection: Connection, evidence: Iterable[ObservedLidAlias]) -> set[ChatAddress]:
    """Keep the newest evidence of each pair; returns the LIDs that anything was told of."""
    newest: dict[tuple[str, str, str], ObservedLidAlias] = {}
    for told in evidence:
        pair = (told.session_id, told.alias.lid, told.alias.phone)
        if pair not in newest or (told.observed_at, told.digest) > (newest[pair].observed_at, newest[pair].digest):
            newest[pair] = told
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
                        "observed_at": told.observed_at,
                        "digest": told.digest,
                    }
                    for (session_id, lid, phone), told in newest.items()
                )
            },
        )
    return {(session_id, lid) for session_id, lid, _ in newest}


def resolve_lids(connection: Connection, lids: Iterable[ChatAddress]) -> list[LidRemap]:
    """Point each of these locked LIDs to the phone that its evidence names now; returns those that moved.

    Per LID, the evidence with the greatest (time, digest) wins. Its phone's chat exists and is locked: the fold that
    adds a pair locks both chats.
    """
    wanted = list(lids)
    if not wanted:
        return []
    moved = connection.execute(
        """
        WITH meant AS (
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
        FROM meant AS m
        WHERE c.chat_id = m.chat_id AND c.merged_into IS DISTINCT FROM m.new_canonical_chat_id
        RETURNING c.chat_id, coalesce(m.old_canonical_chat_id, c.chat_id), coalesce(m.new_canonical_chat_id, c.chat_id)
        """,
        {"rows": json_rows.encode({"session_id": session_id, "lid": lid} for session_id, lid in wanted)},
    )
    return [LidRemap(int(str(chat)), int(str(old)), int(str(new))) for chat, old, new in moved]


def rewrite_phone_numbers(connection: Connection, remaps: Iterable[LidRemap]) -> None:
    """Let the guide's columns name the phone of messages whose LID moved, or nobody where it is a LID again."""
    connection.execute(
        """
        UPDATE whatsapp_messages AS m
        SET from_number = CASE WHEN m.direction = 'incoming' THEN phone.address ELSE m.from_number END,
            to_number = CASE WHEN m.direction = 'outgoing' THEN phone.address ELSE m.to_number END
        FROM chats AS c
        LEFT JOIN chats AS phone ON phone.chat_id = c.merged_into
        WHERE m.chat_id = c.chat_id AND c.chat_id = ANY(%(chats)s)
        """,
        {"chats": [move.chat_id for move in remaps]},
    )


def affected_key_ids(connection: Connection, remaps: Iterable[LidRemap]) -> list[int]:
    """The keys whose messages may amount to something else now that these LIDs are shown elsewhere."""
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
        {"chats": [move.chat_id for move in remaps]},
    )
    return [int(str(key_id)) for (key_id,) in found]


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
    return {(str(session_id), str(phone)) for session_id, phone in found}


def phone_of(connection: Connection, session_id: str, lid: str) -> str | None:
    """The phone that a LID is known to be, in this session."""
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
