import re


class InvalidRecipientError(ValueError):
    """A sentence that says why nothing can be sent there."""


JID_KINDS = {
    "g.us": "a group",
    "lid": "a private identity (LID)",
    "newsletter": "a newsletter",
    "broadcast": "a broadcast",
}


def normalize(to: str) -> str:
    """The digits that SAK would dial, and so the chat in which the reply will be; raises InvalidRecipientError.

    SAK strips everything but 0-9, puts 91 before ten digits that do not begin with it, and takes 8 to 15 digits.
    A phone's JID (`…@s.whatsapp.net`, `…@c.us`) loses its server and device first. Normalising twice changes nothing.
    """
    user, at, server = to.strip().partition("@")
    if at:
        if server.lower() not in ("s.whatsapp.net", "c.us"):
            kind = JID_KINDS.get(server.lower(), "not a phone")
            raise InvalidRecipientError(f"SAK can send to phone numbers only, and this is {kind}")
        user = user.partition(":")[0]
    digits = re.sub(r"[^0-9]", "", user)
    if len(digits) == 10 and not digits.startswith("91"):
        digits = "91" + digits
    if not 8 <= len(digits) <= 15:
        raise InvalidRecipientError(f"a phone number has 8 to 15 digits, and this has {len(digits)}")
    return digits
