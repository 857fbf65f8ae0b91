"""Resolves aliases to phones by evidence.

An alias is a LID, Meta's id for a person, or a phone in another national spelling. For each alias, the evidence with
the greatest (time, digest) wins. If a phone wins for two LIDs, the evidence contradicts itself: a person has only one
LID, so the gateway must have guessed. Then neither LID is merged, and the doctor reports it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast

from store.history.chats import account_chats
from store.history.chats.lid_remaps import LidRemap
from store.history.events.parsed_events import ParsedEvent
from store.history.sessions import accounts
from store.history.sessions.accounts import Accounts
from store.model import addresses
from store.model.facts import LidAlias
from store.model.keys import ChatAddress
from store.postgres import errors, json_rows
from store.postgres.connections import Connection


@dataclass(frozen=True, slots=True)
class ObservedLidAlias:
    """Evidence on an alias, with the time and digest by which it is compared with other evidence."""

    session_id: str
    observed_at: int
    digest: bytes
    alias: LidAlias


def observed(parsed_events: Iterable[ParsedEvent], known_accounts: Accounts) -> list[ObservedLidAlias]:
    """Return the evidence in these events, assigned to the primary session of each account."""
    return [
        ObservedLidAlias(
            known_accounts.primary_of(event.session_id), event.effective_time(fact.time), event.digest, fact
        )
        for event in parsed_events
        for fact in event.facts
        if isinstance(fact, LidAlias)
    ]


def add_evidence(connection: Connection, evidence: Iterable[ObservedLidAlias]) -> None:
    """Store the newest evidence for each pair of alias and phone."""
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
            FROM json_to_recordset(%(rows)s::json)
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


def related(
    connection: Connection, chat_addresses: Iterable[ChatAddress], known_accounts: Accounts | None = None
) -> set[ChatAddress]:
    """Return these addresses and those whose canonical chats may change with evidence on them.

    They are the phones of these addresses by any evidence, all aliases of those phones (because an alias that was
    contradicted may now be the only one), and the chats of all of them in the other sessions of the account. Lock them
    before changing evidence, then call this function again.
    """
    wanted = set(chat_addresses)
    if not wanted:
        return set()
    known_accounts = accounts.lock(connection) if known_accounts is None else known_accounts
    if not known_accounts.primary_by_session:
        return _related_by_evidence(connection, wanted)
    primary = {(known_accounts.primary_of(session_id), address) for session_id, address in wanted}
    found = _related_by_evidence(connection, primary)
    return wanted | found | account_chats.in_other_sessions(connection, found, known_accounts)


def _related_by_evidence(connection: Connection, wanted: set[ChatAddress]) -> set[ChatAddress]:
    found = connection.execute(
        """
        WITH given AS (
            SELECT r.session_id, r.address
            FROM json_to_recordset(%(rows)s::json) AS r (session_id text, address text)
        ),
        phones AS (
            SELECT g.session_id, g.address FROM given AS g
            UNION
            SELECT a.session_id, a.phone
            FROM given AS g
            JOIN lid_aliases AS a ON a.session_id = g.session_id AND a.lid = g.address
        ),
        -- The standard spelling of a phone that is a variant.
        standards AS (
            SELECT p.session_id, p.address FROM phones AS p
            UNION
            SELECT a.session_id, a.phone
            FROM phones AS p
            JOIN lid_aliases AS a ON a.session_id = p.session_id AND a.lid = p.address
        )
        SELECT s.session_id, s.address FROM standards AS s
        UNION
        SELECT a.session_id, a.lid
        FROM standards AS s
        JOIN lid_aliases AS a ON a.session_id = s.session_id AND a.phone = s.address
        """,
        {"rows": json_rows.encode({"session_id": session_id, "address": address} for session_id, address in wanted)},
    )
    return wanted | set(cast("Iterable[ChatAddress]", found))


def recheck_related(
    connection: Connection, changed: Iterable[ChatAddress], locked: Collection[ChatAddress], known_accounts: Accounts
) -> set[ChatAddress]:
    """Call `related` again under the locks.

    Raise TransientError if another address has become related in the meantime.
    """
    found = related(connection, changed, known_accounts)
    if not found <= set(locked):
        raise errors.TransientError("Evidence on a LID changed at the same moment; try again")
    return found


def resolve(connection: Connection, chat_addresses: Iterable[ChatAddress], known_accounts: Accounts) -> list[LidRemap]:
    """Merge locked aliases into the phones that their evidence names, and return the aliases that changed.

    The chats of the phones exist and are locked (`related`). The addresses of an account's other sessions follow those
    of its primary session.
    """
    wanted = [each for each in chat_addresses if known_accounts.primary_of(each[0]) == each[0]]
    others = [each for each in chat_addresses if known_accounts.primary_of(each[0]) != each[0]]
    # Variants come first, because a LID of a variant is merged into the variant's canonical chat.
    aliases = (
        [each for each in wanted if addresses.merge_rank(each[1]) == 1],
        [each for each in wanted if addresses.merge_rank(each[1]) == 0],
    )
    remaps = [remap for of_rank in aliases if of_rank for remap in _resolve(connection, of_rank)]
    followed = account_chats.follow_primary(connection, others, known_accounts)
    return [*remaps, *(LidRemap(*chat_ids) for chat_ids in followed)]


def _resolve(connection: Connection, aliases: Iterable[ChatAddress]) -> list[LidRemap]:
    changed = connection.execute(
        """
        WITH winners AS (
            SELECT r.session_id, r.lid, winner.phone
            FROM json_to_recordset(%(rows)s::json) AS r (session_id text, lid text)
            LEFT JOIN LATERAL (
                SELECT a.phone
                FROM lid_aliases AS a
                WHERE a.session_id = r.session_id AND a.lid = r.lid
                ORDER BY a.observed_at DESC, a.digest DESC, a.phone
                LIMIT 1
            ) AS winner ON true
        ),
        resolved AS (
            SELECT l.chat_id, l.merged_into AS old_canonical_chat_id, phone.canonical_chat_id AS new_canonical_chat_id
            FROM winners AS w
            JOIN chats AS l ON l.session_id = w.session_id AND l.address = w.lid
            LEFT JOIN chats AS phone ON phone.session_id = w.session_id AND phone.address = w.phone
                AND NOT (w.lid LIKE '%%@lid' AND EXISTS (
                    -- Another LID for which the same phone wins.
                    SELECT
                    FROM lid_aliases AS a
                    WHERE a.session_id = w.session_id AND a.phone = w.phone AND a.lid <> w.lid AND a.lid LIKE '%%@lid'
                        AND NOT EXISTS (
                            SELECT
                            FROM lid_aliases AS better
                            WHERE better.session_id = a.session_id AND better.lid = a.lid AND better.phone <> a.phone
                                AND ((better.observed_at, better.digest) > (a.observed_at, a.digest)
                                    OR (better.observed_at, better.digest) = (a.observed_at, a.digest)
                                        AND better.phone < a.phone)
                        )
                ))
        )
        UPDATE chats AS c
        SET merged_into = m.new_canonical_chat_id, rev = c.rev + 1
        FROM resolved AS m
        WHERE c.chat_id = m.chat_id AND c.merged_into IS DISTINCT FROM m.new_canonical_chat_id
        RETURNING c.chat_id, coalesce(m.old_canonical_chat_id, c.chat_id), coalesce(m.new_canonical_chat_id, c.chat_id)
        """,
        {"rows": json_rows.encode({"session_id": session_id, "lid": lid} for session_id, lid in aliases)},
    )
    return [LidRemap(*row) for row in cast("Iterable[tuple[int, int, int]]", changed)]
