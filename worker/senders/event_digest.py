"""Computes an event's digest, by which a repeated delivery is recognised.

Two bodies with equal bytes are one event only if they carry an id or a time, which would differ between two events.
Each kind of sender decides that for its own bodies, and an event's digest must stay the same for ever.
"""

import hashlib
from typing import Final

POSITION_PREFIX: Final = b"\x00sak event by position 1\x00"
"""Prefix of the hash input of an event without an identity: no JSON begins with NUL, so no body has such a digest."""


def digest(body: bytes, *, writer: str, number: int, index: int, is_self_identifying: bool) -> bytes:
    """The event's SHA-256, 32 bytes: of its body if self-identifying, else of its position in its writer's batch."""
    if is_self_identifying:
        return hashlib.sha256(body).digest()
    return hashlib.sha256(POSITION_PREFIX + f"{writer} {number} {index}".encode()).digest()


def of_sender(sender: str, body: bytes) -> bytes:
    """The hash input that stands for the body of one sender: no JSON and no form begins with NUL."""
    return b"\x00sender " + sender.encode() + b"\x00" + body
