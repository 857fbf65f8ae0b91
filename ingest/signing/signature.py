"""Verifies webhooks: HMAC-SHA256 over the raw body, as `X-Webhook-Signature: sha256=<hex>`."""

import hmac
from collections.abc import Sequence

SIGNATURE_HEADER = b"x-webhook-signature"


class SignatureVerifier:
    """Holds the secrets, any of which may sign."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._hmacs: tuple[hmac.HMAC, ...] = ()
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Accept these secrets and no others."""
        # Copied for each body: deriving the key's two blocks again would cost as much as hashing the body.
        self._hmacs = tuple(hmac.new(secret, digestmod="sha256") for secret in secrets)

    def verify(self, body: bytes, header: bytes | None) -> bool:
        """Whether the raw header signs the body; a malformed header does not."""
        if header is None:
            return False
        claimed = header.strip().lower()
        for keyed in self._hmacs:
            signed = keyed.copy()
            signed.update(body)
            if _matches(signed, claimed):
                return True
        return False

    def begin(self) -> "BodyDigest":
        """A digest for a body that is too large to be held."""
        return BodyDigest([keyed.copy() for keyed in self._hmacs])


class BodyDigest:
    """The digests of a body that comes in pieces, one for each secret."""

    def __init__(self, hmacs: Sequence[hmac.HMAC]) -> None:
        self._hmacs = hmacs

    def update(self, piece: bytes) -> None:
        for keyed in self._hmacs:
            keyed.update(piece)

    def matches(self, header: bytes) -> bool:
        """Whether the raw header signs all pieces."""
        claimed = header.strip().lower()
        return any(_matches(keyed, claimed) for keyed in self._hmacs)


def _matches(signed: hmac.HMAC, claimed: bytes) -> bool:
    return hmac.compare_digest(b"sha256=" + signed.hexdigest().encode(), claimed)
