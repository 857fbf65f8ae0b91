"""Computes the digest of an event, by which repeated deliveries are recognised.

Two bodies with equal bytes are one event only if they contain an id or a time, which would differ between two events.
Each kind of sender decides this for its own bodies, and the digest of an event must never change.
"""

import hashlib
from typing import Final

POSITION_PREFIX: Final = b"\x00sak event by position 1\x00"
"""The prefix of the hash input for an event without an identity. No JSON begins with NUL, so no body has such a digest.
"""


def digest(body: bytes, *, writer: str, number: int, index: int, is_self_identifying: bool) -> bytes:
    """Return the SHA-256 of the body if it identifies itself, or else of its position in its writer's batch."""
    if is_self_identifying:
        return hashlib.sha256(body).digest()
    return hashlib.sha256(POSITION_PREFIX + f"{writer} {number} {index}".encode()).digest()


def of_sender(sender: str, body: bytes) -> bytes:
    """Return the hash input for a body from one sender. No JSON and no form begins with NUL."""
    return b"\x00sender " + sender.encode() + b"\x00" + body
