"""Takes back names, evidence and states that the history has and the event they came from no longer says."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from store.feed import changes
from store.feed.changes import Change
from store.history import chats
from store.history.chats import Place
from store.history.fold import Folding
from store.postgres import json_rows
from store.postgres.connections import Connection
from store.replay import latest_facts, sources
from store.replay.latest_facts import Kind, Saying, Subject
from store.replay.shadow import shadowed
from store.replay.sources import Parser

_REACH = 50_000
"""How many events are searched at a time for those that names came from."""


def prepare(connection: Connection) -> None:
    """Make room for doubts, for the life of this connection."""
    connection.execute(
        """
        CREATE TEMPORARY TABLE doubts (
            kind text, session_id text, subject text, object text, weight smallint, at bigint, digest bytea, value text
        )
        """
    )


def doubt(connection: Connection) -> int:
    """Note what the history has and no replayed event said as the greatest: withdrawn, or pruned; returns how much."""
    connection.execute("TRUNCATE doubts")
    with shadowed(connection):
        noted = connection.execute(
            """
            INSERT INTO doubts (kind, session_id, subject, object, weight, at, digest, value)
            SELECT h.kind, h.session_id, h.subject, h.object, h.weight, h.at, h.digest, h.value
            FROM (
                SELECT 'name' AS kind, c.session_id, c.address AS subject, '' AS object, c.own_name_quality AS weight,
                    c.own_name_at AS at, c.own_name_digest AS digest, c.own_name AS value
                FROM public.chats AS c
                WHERE c.own_name IS NOT NULL
                UNION ALL
                SELECT 'alias', a.session_id, a.lid, a.phone, 0, a.told_at, a.digest, NULL FROM aliases AS a
                UNION ALL
                SELECT 'state', n.session_id, '', '', 0, n.state_at, n.state_digest, n.state
                FROM sessions AS n
                WHERE n.state IS NOT NULL
                UNION ALL
                SELECT 'phone', n.session_id, '', '', 0, n.phone_at, n.phone_digest, n.phone
                FROM sessions AS n
                WHERE n.phone IS NOT NULL
            ) AS h
            LEFT JOIN sayings AS s USING (kind, session_id, subject, object)
            -- What is greater is not doubted but heard.
            WHERE s.digest IS NULL OR (h.weight, h.at, h.digest) > (s.weight, s.at, s.digest)
                OR ((h.weight, h.at, h.digest) = (s.weight, s.at, s.digest) AND h.value IS DISTINCT FROM s.value)
            """
        )
    connection.execute("ANALYZE doubts")
    return noted.rowcount


def suspects(connection: Connection, upto: int) -> list[int]:
    """The replayed events that what is doubted came from; of what was pruned there is none."""
    found: list[int] = []
    for start in range(0, upto, _REACH):
        came = connection.execute(
            """
            SELECT e.event_id
            FROM events AS e
            WHERE e.event_id > %(start)s AND e.event_id <= %(end)s
                AND e.digest IN (SELECT d.digest FROM doubts AS d)
            """,
            {"start": start, "end": min(start + _REACH, upto)},
        )
        found += [cast("int", event_id) for (event_id,) in came]
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Reading:
    """Events that may be what is doubted came from, and how to read them."""

    event_ids: Collection[int]
    parser: Parser
    refused: Collection[int]


def refuted(connection: Connection, reading: Reading) -> list[Saying]:
    """What is doubted and these events do not say."""
    read = sources.load(connection, reading.event_ids, reading.parser, reading.refused)
    said = {saying for source in read for saying in latest_facts.said(source)}
    found = connection.execute(
        """
        SELECT d.kind, d.session_id, d.subject, d.object, d.weight, d.at, d.digest, d.value
        FROM doubts AS d
        WHERE d.digest = ANY(%s)
        """,
        [[source.digest for source in read]],
        binary=True,
    )
    doubts = [Saying(*cast("tuple[Kind, str, str, str, int, int, bytes, str | None]", row)) for row in found]
    return [doubted for doubted in doubts if doubted not in said]


def withdraw(
    connection: Connection, wrong: Sequence[Saying], instead: Mapping[Subject, Saying], reading: Reading
) -> None:
    """Put in the place of each what is to be there instead, in the caller's transaction.

    Under the locks everything is looked at again: a copy may have come since, and say it with another receipt.
    """
    lids = {(one.session_id, one.subject) for one in wrong if one.kind == "alias"}
    places = {(one.session_id, one.subject) for one in wrong if one.kind == "name"} | lids
    located = chats.lock(connection, places | _phones(connection, lids))
    still = set(refuted(connection, reading))
    folding = Folding(connection, [], [], {}, located)
    sure = [one for one in wrong if one in still]
    for one in sure:
        if one.kind == "name":
            _rename(connection, one, instead.get(one.about))
            folding.heads.touch(located[one.session_id, one.subject].head)
        elif one.kind == "alias":
            _unsay(connection, one, instead.get(one.about))
    folding.settle(folding.move(sorted({(one.session_id, one.subject) for one in sure if one.kind == "alias"})))
    folding.show()
    told = list(folding.changes)
    for one in sure:
        if one.kind in ("state", "phone"):
            _report(connection, one, instead.get(one.about))
            told.append(Change("session", one.session_id))
    changes.publish(connection, told)


def _phones(connection: Connection, lids: Iterable[Place]) -> set[Place]:
    """All that these LIDs could be pointed to instead."""
    found = connection.execute(
        """
        SELECT a.session_id, a.phone
        FROM jsonb_to_recordset(%s::jsonb) AS r (session_id text, lid text)
        JOIN aliases AS a USING (session_id, lid)
        """,
        [json_rows.document({"session_id": session_id, "lid": lid} for session_id, lid in lids)],
    )
    return {(session_id, phone) for session_id, phone in cast("Iterable[tuple[str, str]]", found)}


def _values(wrong: Saying, instead: Saying | None) -> Mapping[str, object]:
    return {
        "session_id": wrong.session_id,
        "subject": wrong.subject,
        "object": wrong.object,
        "wrong_at": wrong.at,
        "wrong_digest": wrong.digest,
        "weight": 0 if instead is None else instead.weight,
        "at": None if instead is None else instead.at,
        "digest": None if instead is None else instead.digest,
        "value": None if instead is None else instead.value,
    }


def _rename(connection: Connection, wrong: Saying, instead: Saying | None) -> None:
    connection.execute(
        """
        UPDATE chats
        SET own_name = %(value)s, own_name_quality = %(weight)s, own_name_at = %(at)s, own_name_digest = %(digest)s
        WHERE session_id = %(session_id)s AND address = %(subject)s
            AND own_name_at = %(wrong_at)s AND own_name_digest = %(wrong_digest)s
        """,
        _values(wrong, instead),
    )


def _unsay(connection: Connection, wrong: Saying, instead: Saying | None) -> None:
    values = _values(wrong, instead)
    if instead is None:
        connection.execute(
            """
            DELETE FROM aliases
            WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
                AND told_at = %(wrong_at)s AND digest = %(wrong_digest)s
            """,
            values,
        )
        return
    connection.execute(
        """
        UPDATE aliases
        SET told_at = %(at)s, digest = %(digest)s
        WHERE session_id = %(session_id)s AND lid = %(subject)s AND phone = %(object)s
            AND told_at = %(wrong_at)s AND digest = %(wrong_digest)s
        """,
        values,
    )


def _report(connection: Connection, wrong: Saying, instead: Saying | None) -> None:
    if wrong.kind == "state":
        connection.execute(
            """
            UPDATE sessions
            SET state = %(value)s, state_at = %(at)s, state_digest = %(digest)s, rev = rev + 1
            WHERE session_id = %(session_id)s AND state_at = %(wrong_at)s AND state_digest = %(wrong_digest)s
            """,
            _values(wrong, instead),
        )
        return
    connection.execute(
        """
        UPDATE sessions
        SET phone = %(value)s, phone_at = %(at)s, phone_digest = %(digest)s, rev = rev + 1
        WHERE session_id = %(session_id)s AND phone_at = %(wrong_at)s AND phone_digest = %(wrong_digest)s
        """,
        _values(wrong, instead),
    )
