"""Compares the database with the reference model: missing events, duplicates, wrong rows and the ledger."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from dev.chaos import reference_model

MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The damage by kind. All values are zero or empty for a correct database."""

    stored_events: int
    """The number of different events in the database."""
    missing_events: int
    """The number of acknowledged events whose bytes are nowhere in the database."""
    duplicate_rows: int
    """The number of rows beyond the one that a message may have."""
    unexpected_events: int
    """The number of events in the database that were never sent."""
    wrong_rows: Sequence[str]
    """Rows that differ from the model, as sentences, with some examples of each kind."""
    ledger_problems: Sequence[str]
    """The reasons why the ledger is not exact, as sentences."""

    @property
    def is_clean(self) -> bool:
        return not (
            self.missing_events
            or self.duplicate_rows
            or self.unexpected_events
            or self.wrong_rows
            or self.ledger_problems
        )

    def __str__(self) -> str:
        counts = (
            f"{self.missing_events} missing, {self.duplicate_rows} doubled, "
            f"{self.unexpected_events} foreign of {self.stored_events} stored"
        )
        return "; ".join([counts, *self.wrong_rows, *self.ledger_problems])


def judge(database_url: str, acknowledged: Iterable[bytes], doubtful: Iterable[bytes] = ()) -> Verdict:
    """Return the verdict on a database that no process writes to any more.

    `acknowledged` contains a body as often as it was acknowledged. `doubtful` contains events that got no response, or
    another status than 2xx: they may be stored or not.
    """
    sure = Counter(acknowledged)
    perhaps = Counter(doubtful)
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("SET default_transaction_isolation = 'repeatable read'")
        with database.transaction():
            kept = {bytes(body) for (body,) in database.execute("SELECT body FROM raw_events")}
            rows = [reference_model.MessageRow(*row) for row in database.execute(_MESSAGES)]
            contacts = [
                reference_model.ContactRow(phone, name, reference_model.to_milliseconds(at), unread)
                for phone, name, at, unread in database.execute(_CONTACTS)
            ]
            ledger = _check_ledger(database, sure, perhaps, kept)
    expected = reference_model.fold(kept)
    seen = Counter(row.message_id for row in rows)
    wrong = [
        *_compare_rows("message", {row.message_id: row for row in rows}, expected.messages),
        *_compare_rows("contact", {contact.phone: contact for contact in contacts}, expected.contacts),
    ]
    return Verdict(
        stored_events=len(kept),
        missing_events=len(sure.keys() - kept),
        duplicate_rows=sum(count - 1 for count in seen.values()) + len(contacts) - len({c.phone for c in contacts}),
        unexpected_events=len(kept - sure.keys() - perhaps.keys()),
        wrong_rows=wrong,
        ledger_problems=ledger,
    )


def _compare_rows(row_kind: str, found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    missing = sorted(expected.keys() - found.keys())
    odd = sorted(found.keys() - expected.keys())
    differing = sorted(key for key in expected.keys() & found.keys() if expected[key] != found[key])
    sentences = [f"{len(missing)} {row_kind} rows are missing: {missing[:MAX_EXAMPLES]}"] if missing else []
    sentences += [f"{len(odd)} {row_kind} rows are not expected: {odd[:MAX_EXAMPLES]}"] if odd else []
    sentences += [
        f"{len(differing)} {row_kind} rows differ: " + ", ".join(f"{found[k]} for {expected[k]}" for k in differing[:1])
    ] * bool(differing)
    return sentences


def _check_ledger(
    database: psycopg.Connection[Any], acknowledged: Counter[bytes], doubtful: Counter[bytes], kept: set[bytes]
) -> list[str]:
    row = database.execute(_LEDGER).fetchone()
    assert row is not None
    received, size, stored, duplicate, noise, ping, parked, forgotten = map(int, row)
    sentences: list[str] = []
    if received != size:
        sentences.append(f"{received} received, and {size} in batches")
    if size != stored + duplicate + noise + ping + parked + forgotten:
        sentences.append(f"{size} in batches are not the sum of their outcomes")
    if not acknowledged.total() <= received <= acknowledged.total() + doubtful.total():
        sentences.append(
            f"{acknowledged.total()} acknowledged and {doubtful.total()} doubtful, but {received} received"
        )
    outcomes = reference_model.fold(kept).outcome_counts
    counted = {"stored": stored, "noise": noise, "ping": ping, "parked": parked}
    if counted != outcomes:
        sentences.append(f"counted {counted}, and should be {outcomes}")
    if duplicate != received - len(kept):
        sentences.append(f"{duplicate} duplicates, and should be {received - len(kept)}")
    return sentences


_MESSAGES: LiteralString = """
    SELECT message_id, direction, CASE WHEN direction = 'incoming' THEN from_number ELSE to_number END,
        message_type, message_text, status, timestamp
    FROM whatsapp_messages
"""
_CONTACTS: LiteralString = "SELECT phone_number, name, last_message_at, unread_count FROM whatsapp_contacts"
_LEDGER: LiteralString = """
    WITH ends AS (
        SELECT writer, max(upto) AS upto
        FROM (SELECT writer, upto FROM batches UNION ALL SELECT writer, upto FROM writers) AS counts
        GROUP BY writer
    )
    SELECT (SELECT coalesce(sum(upto), 0) FROM ends), coalesce(sum(size), 0), coalesce(sum(stored), 0),
        coalesce(sum(duplicate), 0), coalesce(sum(noise), 0), coalesce(sum(ping), 0), coalesce(sum(parked), 0),
        coalesce(sum(forgotten), 0)
    FROM batches
"""
