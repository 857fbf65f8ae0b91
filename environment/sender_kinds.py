"""Lists the kinds of senders and how each authenticates its webhooks, with one line of data per kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

STATIC_HEADER_PATTERN: Final = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+): +(\S.*)")
"""A secret that is a header with its value instead of a key."""
PLACEHOLDERS: Final = frozenset(
    {
        *("secret", "changeme", "change-me", "password", "test", "your-secret", "your-secret-key", "my-secret-key"),
        "429683C4C977415CAAFCCE10F7D57E11",
    }
)
"""Secrets that gateways have by default or that their documentation shows, so that strangers know them."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The signature of a kind's webhooks: `prefix` followed by the HMAC of the raw body in hexadecimal digits."""

    header: str
    """The header that contains the signature or the JWT, in lower case."""
    algorithm: Literal["sha256", "sha512", "jwt"] = "sha256"
    """`jwt`: the header contains `prefix` and a JWT with HS256, which does not sign the body."""
    prefix: str = ""
    allows_static_header: bool = False
    """True if the gateway can send a header of the operator's choice."""
    signs_form_as_json: bool = False
    """True if the HMAC of a form with a file signs the form's other fields, written as JSON in the way of Go."""
    has_handshake: bool = False
    """True if the gateway verifies the address by Meta's handshake."""


KINDS: Final[Mapping[str, Scheme]] = {
    "sak": Scheme("x-webhook-signature", prefix="sha256="),
    "meta": Scheme("x-hub-signature-256", prefix="sha256=", has_handshake=True),
    "waha": Scheme("x-webhook-hmac", "sha512", allows_static_header=True),
    "openwa": Scheme("x-openwa-signature", prefix="sha256=", allows_static_header=True),
    "gowa": Scheme("x-hub-signature-256", prefix="sha256="),
    "evolution": Scheme("authorization", "jwt", prefix="Bearer ", allows_static_header=True),
    "wuzapi": Scheme("x-hmac-signature", signs_form_as_json=True),
}
