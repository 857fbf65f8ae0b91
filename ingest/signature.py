"""Verifies webhooks: HMAC-SHA256 over the raw body, as `X-Webhook-Signature: sha256=<hex>`."""

import hmac
from collections.abc import Sequence

SIGNATURE_HEADER = b"x-webhook-signature"


class SignatureVerifier:
    """Holds the secrets, any of which may sign."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
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
            if hmac.compare_digest(b"sha256=" + signed.hexdigest().encode(), claimed):
                return True
        return False
