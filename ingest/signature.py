"""Who sent a webhook: HMAC-SHA256 over the raw body, as `X-Webhook-Signature: sha256=<hex>`."""

import hmac
from collections.abc import Sequence

SIGNATURE_HEADER = b"x-webhook-signature"


class SignatureVerifier:
    """Knows the secrets, and whether one of them signed a body."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        # A keyed hash is copied for each body: deriving the key's two blocks again would cost as much as the body.
        self._hmacs = tuple(hmac.new(secret, digestmod="sha256") for secret in secrets)

    def verify(self, body: bytes, header: bytes | None) -> bool:
        """Whether the header, exactly as it came, signs the body; any malformed header is simply no signature."""
        if header is None:
            return False
        claimed = header.strip().lower()
        for keyed in self._hmacs:
            signed = keyed.copy()
            signed.update(body)
            if hmac.compare_digest(b"sha256=" + signed.hexdigest().encode(), claimed):
                return True
        return False
