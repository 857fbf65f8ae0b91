"""Retracts names, LID evidence and session reports that their event no longer states.

Each of these facts is stored with the digest of its event. A fact is wrong if the event still has its body and now
states something else. It is replaced by what its event now states about the same subject. If the event states nothing,
the fact stays visible with the lowest precedence, below every event that the replay is about to fold; if none of them
replaces it, it is removed at the end. A fact whose event was deleted is kept.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import LiteralString, TypeAlias, cast

from store.feed import changes
from store.feed.changes import Change
from store.history.chats import chats, lid_aliases
from store.history.chats.chats import Chat
from store.history.fold import Fold
from store.history.sessions import accounts
from store.model.keys import ChatAddress
from store.postgres.connections import Connection
from store.replay import latest_facts
from store.replay.latest_facts import FactKind, FactRow, LatestFact
from store.replay.sources import SourceEvent

Suspects: TypeAlias = Mapping[int, Sequence[LatestFact]]
"""The facts in the history that came from each event, by event id."""
Replacements: TypeAlias = Mapping[LatestFact, LatestFact | None]
"""The replacement of each fact, or None if there is none."""

_STORED_FACTS: LiteralString = """(
    SELECT 'name' AS kind, c.session_id, c.address AS subject, '' AS object, c.own_name_quality::integer AS rank,
        c.own_name_at AS effective_at, c.own_name_digest AS digest, c.own_name AS value
    FROM chats AS c
    WHERE c.own_name IS NOT NULL
    UNION ALL
    SELECT 'alias', a.session_id, a.lid, a.phone, 0, a.observed_at, a.digest, NULL FROM lid_aliases AS a
    UNION ALL
    SELECT 'state', n.session_id, '', '', 0, n.state_at, n.state_digest, n.state FROM sessions AS n
    WHERE n.state IS NOT NULL
    UNION ALL
    SELECT 'phone', n.session_id, '', '', 0, n.phone_at, n.phone_digest, n.phone FROM sessions AS n
    WHERE n.phone IS NOT NULL
)"""


def find_suspects(connection: Connection, after: int, last_event_id: int) -> dict[int, list[LatestFact]]:
    """Return the facts in the history by the events that they came from, which are sorted.

    Events up to `after`, or after `last_event_id`, are left out.
    """
    found = connection.execute(
        f"""
        SELECT e.event_id, h.kind, h.session_id, h.subject, h.object, h.rank, h.effective_at, h.digest, h.value
        FROM raw_events AS e
        JOIN {_STORED_FACTS} AS h USING (digest)
        WHERE e.event_id > %(after)s AND e.event_id <= %(last)s
        ORDER BY e.event_id
        """,
        {"after": after, "last": last_event_id},
        binary=True,
    )
    suspects: defaultdict[int, list[LatestFact]] = defaultdict(list)
    for row in found:
        suspects[cast("int", row[0])].append(LatestFact(*cast("FactRow", row[1:])))
    return suspects


def find_wrong(suspects: Suspects, events: Iterable[SourceEvent]) -> Replacements:
    """Return the facts that these events no longer state, with the replacement for each."""
    wrong: dict[LatestFact, LatestFact | None] = {}
    for event in events:
        stated = set(latest_facts.extract(event))
        latest = latest_facts.extract_latest([event])
        wrong |= {fact: latest.get(fact.key) for fact in suspects[event.event_id] if fact not in stated}
    return wrong


def find_unreplaced(connection: Connection) -> list[LatestFact]:
    """Return the facts with the lowest precedence."""
    found = connection.execute(
        f"""
        SELECT h.kind, h.session_id, h.subject, h.object, h.rank, h.effective_at, h.digest, h.value
        FROM {_STORED_FACTS} AS h
        WHERE h.digest = ''
        ORDER BY h.kind, h.session_id, h.subject, h.object
        """,
        binary=True,
    )
    return [LatestFact(*cast("FactRow", row)) for row in found]


def retract(
    connection: Connection, suspects: Suspects, load: Callable[[], Iterable[SourceEvent]], *, dry_run: bool
) -> Replacements:
    """Replace facts that the loaded events no longer state, in the caller's transaction. Return the replacements."""
    wrong = find_wrong(suspects, load())
    if not wrong or dry_run:
        return wrong
    locked = _lock(connection, wrong)
    # The events are loaded again under the locks, because a new copy of an event may have changed the date of a fact.
    still_wrong = find_wrong(suspects, load())
    wrong = {fact: still_wrong[fact] for fact in wrong if fact in still_wrong}
    lowest = {fact: replace(fact, rank=0, effective_at=0, digest=b"") for fact in wrong}
    _replace(connection, locked, {fact: replacement or lowest[fact] for fact, replacement in wrong.items()})
    return wrong


def remove(connection: Connection, facts: Collection[LatestFact]) -> None:
    """Remove these facts in the caller's transaction."""
    _replace(connection, _lock(connection, facts), dict.fromkeys(facts))


def _lock(connection: Connection, facts: Collection[LatestFact]) -> dict[ChatAddress, Chat]:
    """Lock the chats whose names or addresses may change when these facts are replaced."""
    lids = {(one.session_id, one.subject) for one in facts if one.kind == "alias"}
    names = {(one.session_id, one.subject) for one in facts if one.kind == "name"}
    return chats.lock(connection, names | lid_aliases.related(connection, lids))


def _replace(connection: Connection, locked: dict[ChatAddress, Chat], replacements: Replacements) -> None:
    """Store each replacement, or remove the fact if there is none. Facts that changed in the meantime are kept."""
    known_accounts = accounts.lock(connection)
    folding = Fold(connection, [], [], {}, locked, known_accounts)
    lids = {(fact.session_id, fact.subject) for fact in replacements if fact.kind == "alias"}
    aliases = lid_aliases.recheck_related(connection, lids, locked, known_accounts)
    for fact, replacement in replacements.items():
        _replace_one(connection, fact, replacement)
        if fact.kind == "name":
            folding.summary_changes.mark_stale(locked[fact.session_id, fact.subject].canonical_chat_id)
    folding.recompute(folding.remap_lids(aliases))
    folding.refresh_summaries()
    reported = {fact.session_id for fact in replacements if fact.kind in ("state", "phone")}
    changes.publish(connection, [*folding.changes, *(Change("session", session_id) for session_id in sorted(reported))])


def _replace_one(connection: Connection, fact: LatestFact, replacement: LatestFact | None) -> None:
    rank, at, digest, value = (*replacement.precedence, replacement.value) if replacement else (0, None, None, None)
    statement = _REMOVE_LID_EVIDENCE if fact.kind == "alias" and replacement is None else _REPLACE[fact.kind]
    replaced_by = {"new_rank": rank, "new_at": at, "new_digest": digest, "new_value": value}
    connection.execute(statement, asdict(fact) | replaced_by)


def _replace_report(column: LiteralString) -> LiteralString:
    return f"""
        UPDATE sessions
        SET {column} = %(new_value)s, {column}_at = %(new_at)s, {column}_digest = %(new_digest)s, rev = rev + 1,
            -- Removes nothing for a state, which is not a phone.
            phones = array_remove(phones, %(value)s)
        WHERE session_id = %(session_id)s AND {column}_at = %(effective_at)s AND {column}_digest = %(digest)s
    """


_REPLACE: Mapping[FactKind, LiteralString] = {
    "name": """
        UPDATE chats
        SET own_name = %(new_value)s, own_name_quality = %(new_rank)s, own_name_at = %(new_at)s,
            own_name_digest = %(new_digest)s
        WHERE session_id = %(session_id)s AND address = %(subject)s
            AND own_name_at = %(effective_at)s AND own_name_digest = %(digest)s
    """,
    "alias": """
        UPDATE lid_aliases
        SET observed_at = %(new_at)s, digest = %(new_digest)s
        WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
            AND observed_at = %(effective_at)s AND digest = %(digest)s
    """,
    "state": _replace_report("state"),
    "phone": _replace_report("phone"),
}
_REMOVE_LID_EVIDENCE: LiteralString = """
    DELETE FROM lid_aliases
    WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
        AND observed_at = %(effective_at)s AND digest = %(digest)s
"""
