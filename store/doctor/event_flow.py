"""Checks the flow of events: workers, the stream, the ledger, spools, parked events and sessions."""

import time
from typing import cast

from store.doctor import disks, finding
from store.doctor.finding import Finding
from store.history.sessions import session_phones, sessions
from store.ledger import ledger
from store.postgres.connections import Connection
from store.reading import operations

_DAY = 86_400
_MAX_REASONS = 5
_RELINKED_REMEDY = (
    "Link the new number to a session of its own, under a new name at the gateway, and this session to its old number"
    " again. Messages received in between stay where they are. See docs/senders.md."
)
_FIRST_MESSAGE_REMEDY = (
    "Write to the number from another phone. The dashboard's first page shows how to register the webhook, and sends a"
    " test event through the whole path."
)


def worker_alive(connection: Connection) -> list[Finding]:
    """Check that a worker runs. It may be any worker, because each of them records the status of the stream."""
    row = connection.execute(
        """
        SELECT extract(epoch FROM now() - s.as_of)::float8, extract(epoch FROM now() - s.oldest_at)::float8, s.length,
            s.drain_failure
        FROM stream_status AS s
        """
    ).fetchone()
    remedy = "Start a worker (`python -m worker`), or read its log. Until then events wait in Redis."
    if row is None:
        return [finding.broken("worker.alive", "No worker has ever read the stream.", remedy)]
    age, oldest, length, failure = cast("tuple[float, float | None, int, str | None]", row)
    if age > ledger.STALE_AFTER:
        return [finding.broken("worker.alive", f"No worker has read the stream for {age:.0f} s.", remedy)]
    waiting = "The stream is empty."
    if length and oldest is not None:
        waiting = f"{length} batches are in the stream, the oldest for {max(oldest, 0):.0f} s."
    remedy = "Start more workers (WORKERS, or another machine), and see the findings about PostgreSQL."
    return [
        finding.ok("worker.alive", "A worker reads the stream."),
        finding.by_threshold("queue.age", oldest or 0, 30, 600, waiting, remedy),
        _last_drain(failure),
    ]


def _last_drain(failure: str | None) -> Finding:
    name = "worker.drain"
    if failure is None:
        return finding.ok(name, "The last drain did not fail.")
    remedy = (
        "Look up the code: 55P03 and 57014 mean that another session holds a lock (finding postgresql.transactions),"
        " 53100 that PostgreSQL's disk is full, 25006 that it is read-only. Nothing is lost meanwhile."
    )
    return finding.broken(name, f"The last drain of a worker failed: {failure}.", remedy)


def ledger_balance(connection: Connection) -> list[Finding]:
    totals = ledger.read(connection)
    name = "ledger"
    if totals.lost:
        lost = sum(gap.events for gap in totals.lost)
        remedy = (
            "`python -m store ledger` names the writer and the batches. Check the persistence of Redis, then write them"
            " off with --accept-loss."
        )
        return [finding.broken(name, f"{lost} acknowledged events are lost.", remedy)]
    if totals.waiting is None:
        remedy = "Start a worker: only a running one knows the content of the stream."
        return [finding.warning(name, f"It is unknown whether all of {totals.received:,} events are stored.", remedy)]
    if totals.unknown:
        return [finding.broken(name, question.message, question.remedy) for question in totals.unknown]
    message = f"All of {totals.received:,} received events are accounted for ({totals.waiting:,} wait)."
    if totals.written_off:
        message += f" The loss of {totals.written_off:,} was accepted."
    return [finding.ok(name, message)]


def reported_spools(connection: Connection) -> list[Finding]:
    """Report the events that ingest processes reported in their spools within the last minute."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE w.spooled > 0), coalesce(sum(w.spooled), 0)::bigint
        FROM writers AS w
        WHERE w.seen_at > now() - interval '1 minute' AND w.ended_at IS NULL
        """
    ).fetchone()
    writers, events = cast("tuple[int, int]", row)
    name = "spool.reported"
    if writers:
        message = f"{writers} ingest processes reported {events} events in their spools."
        return [finding.warning(name, message, disks.SPOOL_IN_USE_REMEDY)]
    return [finding.ok(name, "No ingest reported events in its spool.")]


def parked_events(connection: Connection) -> list[Finding]:
    rows = connection.execute(
        """
        SELECT p.reason, count(*), count(*) FILTER (WHERE p.parked_at > now() - interval '1 day')
        FROM parked_events AS p
        GROUP BY p.reason
        ORDER BY 3 DESC, 2 DESC, 1
        """
    ).fetchall()
    counted = [(str(reason), cast("int", count), cast("int", recent)) for reason, count, recent in rows]
    total, recent = sum(count for _, count, _ in counted), sum(recent for *_, recent in counted)
    reasons = ", ".join(f"{reason}: {count}" for reason, count, _ in counted[:_MAX_REASONS])
    if recent:
        remedy = (
            "List them (GET /api/parked, or the operations page of the dashboard). After an upgrade of the parser: "
            "`python -m worker replay --parked`."
        )
        message = f"{total} events are parked, {recent} of them since yesterday ({reasons})."
        return [finding.warning("events.parked", message, remedy)]
    message = f"{total} events are parked, none since yesterday ({reasons})." if total else "No event is parked."
    return [finding.ok("events.parked", message)]


def session_activity(connection: Connection) -> list[Finding]:
    """Report for each session the types of event that never arrived, and whether the session fell silent within a week.

    If a session was first seen within the last day and still waits for its first message, the severity is `info`.
    """
    rows = connection.execute(
        """
        SELECT s.session_id, max(e.last_at) FILTER (WHERE e.event <> %(ping)s), min(e.last_at),
            ARRAY(
                SELECT k.event FROM unnest(%(known)s::text[]) AS k (event)
                WHERE k.event NOT IN (SELECT x.event FROM session_events AS x WHERE x.session_number = s.session_number)
            )
        FROM sessions AS s
        LEFT JOIN session_events AS e USING (session_number)
        GROUP BY s.session_number, s.session_id
        ORDER BY 2 DESC NULLS LAST
        LIMIT 100
        """,
        {"ping": sessions.PING_EVENT, "known": list(operations.WEBHOOK_EVENTS)},
    ).fetchall()
    findings: list[Finding] = []
    for session_id, last_at, first_at, never in cast("list[tuple[str, int | None, int | None, list[str]]]", rows):
        unseen = f"; never seen: {', '.join(never)}" if never else ""
        remedy = (
            "If the webhook subscribes to them, `python -m api sak test` tests the whole path. SAK does not report "
            "acknowledgements or messages sent from the phone."
        )
        if last_at is None or "message.received" in never:
            if first_at is None or time.time() - first_at / 1000 < _DAY:
                waiting = f"Session {session_id} waits for its first message{unseen}."
                findings.append(finding.info("sessions", waiting, _FIRST_MESSAGE_REMEDY))
                continue
            message = f"Session {session_id} has never reported a received message{unseen}."
            findings.append(finding.warning("sessions", message, remedy))
            continue
        age = time.time() - last_at / 1000
        message = f"The last event of session {session_id} was {_format_age(age)}{unseen}."
        silent = _DAY < age < 7 * _DAY
        findings.append(finding.warning("sessions", message, remedy) if silent else finding.ok("sessions", message))
    return findings or [finding.info("sessions", "The history waits for its first message.", _FIRST_MESSAGE_REMEDY)]


def session_numbers(connection: Connection) -> list[Finding]:
    """Check for sessions that were linked to another number, because their new history belongs to that number."""
    name = "sessions.numbers"
    findings: list[Finding] = []
    for session in session_phones.read(connection):
        if not session.is_relinked:
            continue
        if session.account is not None:
            message = (
                f"Session {session.session_id} was linked to another number than its account's. Its new messages are"
                " shown in the conversations of the account, and its number does not become an account."
            )
        else:
            message = (
                f"Session {session.session_id} was linked to {len(session.reported)} numbers. It has the conversations"
                " of all of them, and it is not joined with other sessions of its number."
            )
        findings.append(finding.warning(name, message, _RELINKED_REMEDY))
    return findings or [finding.ok(name, "No session was linked to another number.")]


def lid_contradictions(connection: Connection) -> list[Finding]:
    """Check for phones that several LIDs claim. The gateway guessed, so none of these LIDs is shown as the phone."""
    name = "identities.contradictions"
    if (count := operations.count_contradictions(connection)) == 0:
        return [finding.ok(name, "No phone is claimed by several LIDs.")]
    message = f"The gateway reports several LIDs for {count} phones; these LIDs are shown as separate chats."
    remedy = "`GET /api/sessions` lists them. Update the gateway: older versions guess the phone of a LID."
    return [finding.warning(name, message, remedy)]


def search_index(connection: Connection) -> list[Finding]:
    row = connection.execute(
        """
        SELECT count(*), min(m.id), string_agg(DISTINCT s.sqlstate, ', ' ORDER BY s.sqlstate)
        FROM search_skipped AS s
        JOIN whatsapp_messages AS m USING (id)
        """
    ).fetchone()
    count, first, codes = cast("tuple[int, int | None, str | None]", row)
    name = "search.skipped"
    if not count:
        return [finding.ok(name, "No message was too slow to index.")]
    message = (
        f"Search does not find {count} messages, which could not be indexed ({codes}); the first has the id {first}."
    )
    remedy = (
        "57014: indexing took longer than 5 s. Each is tried again every hour. If their number grows, PostgreSQL is too"
        " slow: see the findings about it."
    )
    return [finding.warning(name, message, remedy)]


def _format_age(seconds: float) -> str:
    for unit, size in (("days", _DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


CHECKS = (
    worker_alive,
    ledger_balance,
    reported_spools,
    parked_events,
    session_activity,
    session_numbers,
    lid_contradictions,
    search_index,
)
