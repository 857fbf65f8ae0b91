"""Normalizes phone numbers the way SAK does."""

import re


class InvalidRecipientError(ValueError):
    """The recipient is no phone number; the message says why."""


_JID_KINDS = {"g.us": "a group", "lid": "a LID", "newsletter": "a newsletter", "broadcast": "a broadcast"}


def normalize(to: str) -> str:
    """The digits that SAK dials, and so the address of the chat; raises InvalidRecipientError.

    SAK removes everything but 0-9, prepends 91 to ten digits that do not start with it, and accepts 8 to 15 digits.
    The JID of a phone (`…@s.whatsapp.net`, `…@c.us`) first loses its server and device. Idempotent.
    """
    user, at, server = to.strip().partition("@")
    if at:
        if server.lower() not in ("s.whatsapp.net", "c.us"):
            kind = _JID_KINDS.get(server.lower(), "other addresses")
            raise InvalidRecipientError(f"SAK sends only to phone numbers, not to {kind}")
        user = user.partition(":")[0]
    digits = re.sub(r"[^0-9]", "", user)
    if len(digits) == 10 and not digits.startswith("91"):
        digits = "91" + digits
    if not 8 <= len(digits) <= 15:
        raise InvalidRecipientError(f"a phone number has 8 to 15 digits, and this has {len(digits)}")
    return digits
