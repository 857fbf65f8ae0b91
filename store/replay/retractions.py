"""Takes back names, evidence and states that the history has and the event they came from no longer says."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.feed import changes
from store.feed.changes import Change
from store.history import chats
from store.history.chats import ChatAddress
from store.history.fold import Fold
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay import latest_facts, sources
from store.replay.latest_facts import FactKey, FactKind, LatestFact
from store.replay.shadow import shadow_search_path
from store.replay.sources import EventParser

_EVENT_WINDOW = 50_000
"""How many events are searched at a time for those that names came from."""


def create_table(connection: Connection) -> None:
    """Make room for doubts, for the life of this connection."""
    connection.execute(
        """
        CREATE TEMPORARY TABLE doubts (
            kind text, session_id text, subject text, object text, rank smallint, effective_at bigint, digest bytea,
                value text
        )
        """
    )


def collect_doubts(connection: Connection) -> int:
    """Note what the history has and no replayed event said as the greatest: withdrawn, or pruned; returns how much."""
    connection.execute("TRUNCATE doubts")
    with shadow_search_path(connection):
        noted = connection.execute(
            """
            INSERT INTO doubts (kind, session_id, subject, object, rank, effective_at, digest, value)
            SELECT h.kind, h.session_id, h.subject, h.object, h.rank, h.effective_at, h.digest, h.value
            FROM (
                SELECT 'name' AS kind, c.session_id, c.address AS subject, '' AS object, c.own_name_quality AS rank,
                    c.own_name_at AS effective_at, c.own_name_digest AS digest, c.own_name AS value
                FROM public.chats AS c
                WHERE c.own_name IS NOT NULL
                UNION ALL
                SELECT 'alias', a.session_id, a.lid, a.phone, 0, a.observed_at, a.digest, NULL FROM lid_aliases AS a
                UNION ALL
                SELECT 'state', n.session_id, '', '', 0, n.state_at, n.state_digest, n.state
                FROM sessions AS n
                WHERE n.state IS NOT NULL
                UNION ALL
                SELECT 'phone', n.session_id, '', '', 0, n.phone_at, n.phone_digest, n.phone
                FROM sessions AS n
                WHERE n.phone IS NOT NULL
            ) AS h
            LEFT JOIN latest_facts AS s USING (kind, session_id, subject, object)
            -- What is greater is not doubted but heard.
            WHERE s.digest IS NULL OR (h.rank, h.effective_at, h.digest) > (s.rank, s.effective_at, s.digest)
                OR ((h.rank, h.effective_at, h.digest) = (s.rank, s.effective_at, s.digest) AND h.value
                    IS DISTINCT FROM s.value)
            """
        )
    connection.execute("ANALYZE doubts")
    return noted.rowcount


def find_suspect_events(connection: Connection, last_event_id: int) -> list[int]:
    """The replayed events that what is doubted came from; of what was pruned there is none."""
    found: list[int] = []
    for start in range(0, last_event_id, _EVENT_WINDOW):
        came = connection.execute(
            """
            SELECT e.event_id
            FROM raw_events AS e
            WHERE e.event_id > %(start)s AND e.event_id <= %(end)s
                AND e.digest IN (SELECT d.digest FROM doubts AS d)
            """,
            {"start": start, "end": min(start + _EVENT_WINDOW, last_event_id)},
        )
        found += [cast("int", event_id) for (event_id,) in came]
    return sorted(found)


@dataclass(frozen=True, slots=True)
class SuspectEvents:
    """Events that may be what is doubted came from, and how to read them."""

    event_ids: Collection[int]
    parser: EventParser
    rejected_event_ids: Collection[int]


def find_refuted(connection: Connection, suspects: SuspectEvents) -> list[LatestFact]:
    """What is doubted and these events do not say."""
    read = sources.load(connection, suspects.event_ids, suspects.parser, suspects.rejected_event_ids)
    said = {saying for source in read for saying in latest_facts.extract(source)}
    found = connection.execute(
        """
        SELECT d.kind, d.session_id, d.subject, d.object, d.rank, d.effective_at, d.digest, d.value
        FROM doubts AS d
        WHERE d.digest = ANY(%s)
        """,
        [[source.digest for source in read]],
        binary=True,
    )
    doubts = [LatestFact(*cast("tuple[FactKind, str, str, str, int, int, bytes, str | None]", row)) for row in found]
    return [doubted for doubted in doubts if doubted not in said]


def retract(
    connection: Connection,
    refuted: Sequence[LatestFact],
    replacements: Mapping[FactKey, LatestFact],
    suspects: SuspectEvents,
) -> None:
    """Put in the place of each what is to be there instead, in the caller's transaction.

    Under the locks everything is looked at again: a copy may have come since, and say it with another receipt.
    """
    lids = {(one.session_id, one.subject) for one in refuted if one.kind == "alias"}
    places = {(one.session_id, one.subject) for one in refuted if one.kind == "name"} | lids
    located = chats.lock(connection, places | _candidate_phones(connection, lids))
    still = set(find_refuted(connection, suspects))
    folding = Fold(connection, [], [], {}, located)
    sure = [one for one in refuted if one in still]
    for one in sure:
        if one.kind == "name":
            _replace_name(connection, one, replacements.get(one.key))
            folding.summary_changes.mark_stale(located[one.session_id, one.subject].canonical_chat_id)
        elif one.kind == "alias":
            _replace_lid_evidence(connection, one, replacements.get(one.key))
    folding.recompute(
        folding.remap_lids(sorted({(one.session_id, one.subject) for one in sure if one.kind == "alias"}))
    )
    folding.refresh_summaries()
    told = list(folding.changes)
    for one in sure:
        if one.kind in ("state", "phone"):
            _replace_session_report(connection, one, replacements.get(one.key))
            told.append(Change("session", one.session_id))
    changes.publish(connection, told)


def _candidate_phones(connection: Connection, lids: Iterable[ChatAddress]) -> set[ChatAddress]:
    """All that these LIDs could be pointed to instead."""
    found = connection.execute(
        """
        SELECT a.session_id, a.phone
        FROM jsonb_to_recordset(%s::jsonb) AS r (session_id text, lid text)
        JOIN lid_aliases AS a USING (session_id, lid)
        """,
        [json_rows.encode({"session_id": session_id, "lid": lid} for session_id, lid in lids)],
    )
    return {(session_id, phone) for session_id, phone in cast("Iterable[tuple[str, str]]", found)}


def _parameters(refuted: LatestFact, replacement: LatestFact | None) -> Mapping[str, object]:
    return {
        "session_id": refuted.session_id,
        "subject": refuted.subject,
        "object": refuted.object,
        "wrong_at": refuted.effective_at,
        "wrong_digest": refuted.digest,
        "rank": 0 if replacement is None else replacement.rank,
        "at": None if replacement is None else replacement.effective_at,
        "digest": None if replacement is None else replacement.digest,
        "value": None if replacement is None else replacement.value,
    }


def _replace_name(connection: Connection, refuted: LatestFact, replacement: LatestFact | None) -> None:
    connection.execute(
        """
        UPDATE chats
        SET own_name = %(value)s, own_name_quality = %(rank)s, own_name_at = %(at)s, own_name_digest = %(digest)s
        WHERE session_id = %(session_id)s AND address = %(subject)s
            AND own_name_at = %(wrong_at)s AND own_name_digest = %(wrong_digest)s
        """,
        _parameters(refuted, replacement),
    )


def _replace_lid_evidence(connection: Connection, refuted: LatestFact, replacement: LatestFact | None) -> None:
    values = _parameters(refuted, replacement)
    if replacement is None:
        connection.execute(
            """
            DELETE FROM lid_aliases
            WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
                AND observed_at = %(wrong_at)s AND digest = %(wrong_digest)s
            """,
            values,
        )
        return
    connection.execute(
        """
        UPDATE lid_aliases
        SET observed_at = %(at)s, digest = %(digest)s
        WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
            AND observed_at = %(wrong_at)s AND digest = %(wrong_digest)s
        """,
        values,
    )


def _replace_session_report(connection: Connection, refuted: LatestFact, replacement: LatestFact | None) -> None:
    if refuted.kind == "state":
        connection.execute(
            """
            UPDATE sessions
            SET state = %(value)s, state_at = %(at)s, state_digest = %(digest)s, rev = rev + 1
            WHERE session_id = %(session_id)s AND state_at = %(wrong_at)s AND state_digest = %(wrong_digest)s
            """,
            _parameters(refuted, replacement),
        )
        return
    connection.execute(
        """
        UPDATE sessions
        SET phone = %(value)s, phone_at = %(at)s, phone_digest = %(digest)s, rev = rev + 1
        WHERE session_id = %(session_id)s AND phone_at = %(wrong_at)s AND phone_digest = %(wrong_digest)s
        """,
        _parameters(refuted, replacement),
    )
