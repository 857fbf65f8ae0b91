"""Provides messages of the current time, for what happens only to new messages."""

import dataclasses
import time

from store.model.facts import Direction, Message
from tests.support.history.history_writer import SENDER_PHONE, message_fact


def message_now(
    text: str, address: str = SENDER_PHONE, *, age_ms: int = 0, direction: Direction = "incoming"
) -> Message:
    fact = message_fact(text, address=address, direction=direction)
    return dataclasses.replace(fact, time=int(time.time() * 1000) - age_ms)
