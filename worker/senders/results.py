"""The result of parsing one body, the same for every kind of sender."""

from typing import NamedTuple

from store.model.facts import Outcome


class ParseResult(NamedTuple):
    """The outcome of one body."""

    outcome: Outcome
    is_self_identifying: bool
    """Whether equal bytes are the same event (worker/senders/event_digest.py)."""
