"""Defines the result of parsing a body, which is the same for every kind of sender."""

from typing import NamedTuple

from store.model.facts import Outcome
from worker.senders.reasons import Reason


class ParseResult(NamedTuple):
    """The outcome of one body."""

    outcome: Outcome
    is_self_identifying: bool
    """True if equal bytes are the same event (worker/senders/event_digest.py)."""


def without_facts(reason: Reason) -> ParseResult:
    """Return the result for a body that gives no facts."""
    return ParseResult(Outcome(reason.kind, reason.value, None, None, None), is_self_identifying=False)
