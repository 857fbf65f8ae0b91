"""What becomes of events: whether a worker lives, the ledger adds up, and nothing waits, spools or parks unseen."""

import time
from typing import cast

from store.doctor import finding
from store.doctor.finding import Finding
from store.history import sessions
from store.ledger import ledger
from store.postgres.connections import Connection
from store.reading import operations

_DAY = 86_400
_MAX_REASONS = 5


def worker_alive(connection: Connection) -> list[Finding]:
    """Whether any worker is alive, by what it wrote last."""
    row = connection.execute(
        "SELECT extract(epoch FROM now() - p.as_of)::float8, extract(epoch FROM now() - p.oldest_at)::float8, p.length"
        " FROM stream_status AS p"
    ).fetchone()
    cure = "Start a worker (`python -m worker`), or read its log: events wait in Redis until one lives."
    if row is None:
        return [finding.broken("worker.pulse", "No worker ever looked at the stream.", cure)]
    age, oldest, length = cast("tuple[float, float | None, int]", row)
    if age > ledger.STALE_AFTER:
        return [finding.broken("worker.pulse", f"No worker looked at the stream for {age:.0f} s.", cure)]
    waiting = "Nothing waits in the stream."
    if length and oldest is not None:
        waiting = f"{length} batches are in the stream, the oldest for {max(oldest, 0):.0f} s."
    return [
        finding.ok("worker.pulse", "A worker looked at the stream just now."),
        finding.by_threshold(
            "queue.age",
            oldest or 0,
            30,
            600,
            waiting,
            "Start more workers (WORKERS, or another machine), and see what PostgreSQL does (the other findings).",
        ),
    ]


def ledger_balance(connection: Connection) -> list[Finding]:
    read = ledger.read(connection)
    name = "ledger"
    if read.lost:
        lost = sum(gap.events for gap in read.lost)
        spooled = any(gap.spooled for gap in read.lost)
        cure = (
            "Their writer had a spool: start an ingest on that SPOOL_DIR."
            if spooled
            else "`python -m store ledger` names writer and numbers; look at Redis' persistence and what it was told."
        )
        return [finding.broken(name, f"{lost} acknowledged events are nowhere.", cure)]
    if read.waiting is None:
        cure = "Start a worker; only one that lives knows what the stream holds."
        return [finding.warning(name, f"Nobody knows whether all of {read.received:,} events are kept.", cure)]
    sentence = f"{read.received:,} events were received, and all are accounted for ({read.waiting:,} of them wait)."
    return [finding.ok(name, sentence)]


def reported_spools(connection: Connection) -> list[Finding]:
    """What ingests that spoke within the last minute said of their spools."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE w.spooled > 0), coalesce(sum(w.spooled), 0)::bigint
        FROM writers AS w
        WHERE w.seen_at > now() - interval '1 minute'
        """
    ).fetchone()
    writers, events = cast("tuple[int, int]", row)
    name = "spool.reported"
    if writers:
        cure = "See why Redis did not confirm (ingest's /readyz and the findings about Redis); it drains by itself."
        return [
            finding.warning(name, f"{writers} ingest processes said lately that {events} events are spooled.", cure)
        ]
    return [finding.ok(name, "No ingest said lately that its spool is in use.")]


def parked_events(connection: Connection) -> list[Finding]:
    rows = connection.execute(
        """
        SELECT p.reason, count(*), count(*) FILTER (WHERE p.parked_at > now() - interval '1 day')
        FROM parked_events AS p
        GROUP BY p.reason
        ORDER BY 3 DESC, 2 DESC, 1
        """
    ).fetchall()
    counted = [(str(reason), cast("int", all_), cast("int", lately)) for reason, all_, lately in rows]
    total, lately = sum(number for _, number, _ in counted), sum(number for _, _, number in counted)
    reasons = ", ".join(f"{reason}: {number}" for reason, number, _ in counted[:_MAX_REASONS])
    if lately:
        cure = (
            "Look at them (GET /api/parked, or the dashboard's operations page); after an upgrade that reads them: "
            "`python -m worker replay --parked`."
        )
        sentence = f"{total} events are parked, {lately} of them since yesterday ({reasons})."
        return [finding.warning("events.parked", sentence, cure)]
    sentence = f"{total} events are parked, none since yesterday ({reasons})." if total else "No event is parked."
    return [finding.ok("events.parked", sentence)]


def session_activity(connection: Connection) -> list[Finding]:
    """For each session, what the guide lets it send and it never sent, and whether it fell silent in the last week."""
    rows = connection.execute(
        """
        SELECT s.session_id, max(e.last_at) FILTER (WHERE e.event <> %(ping)s),
            ARRAY(
                SELECT k.event FROM unnest(%(known)s::text[]) AS k (event)
                WHERE NOT EXISTS (SELECT FROM session_events AS x WHERE x.session_number = s.session_number
                    AND x.event = k.event)
            )
        FROM sessions AS s
        LEFT JOIN session_events AS e USING (session_number)
        GROUP BY s.session_number, s.session_id
        ORDER BY 2 DESC NULLS LAST
        LIMIT 100
        """,
        {"ping": sessions.PING_EVENT, "known": list(operations.WEBHOOK_EVENTS)},
    ).fetchall()
    found: list[Finding] = []
    for session_id, last_at, never in cast("list[tuple[str, int | None, list[str]]]", rows):
        unseen = f"; never seen: {', '.join(never)}" if never else ""
        cure = (
            "If it was subscribed to: `python -m api sak test` tries the whole path; what phones send themselves and "
            "acks are not reported by SAK today."
        )
        if last_at is None or "message.received" in never:
            sentence = f"Session {session_id} never told of a received message{unseen}."
            found.append(finding.warning("sessions", sentence, cure))
            continue
        age = time.time() - last_at / 1000
        sentence = f"Session {session_id} last told something {_format_age(age)}{unseen}."
        silent = _DAY < age < 7 * _DAY
        found.append(finding.warning("sessions", sentence, cure) if silent else finding.ok("sessions", sentence))
    return found or [finding.ok("sessions", "No session ever told anything: nothing was received yet.")]


def _format_age(seconds: float) -> str:
    for unit, size in (("days", _DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


CHECKS = (worker_alive, ledger_balance, reported_spools, parked_events, session_activity)
