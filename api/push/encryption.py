"""Encrypts the content of a notification for one device (RFC 8291), and signs the request that carries it (RFC 8292).

The library pywebpush would add aiohttp and its seven dependencies to send one POST, whereas the two RFCs are only these
functions.
"""

import base64
import hashlib
import os
import struct
import time
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_RECORD_BYTES = 4096
"""The size of bodies that push services must accept."""
MAX_CONTENT_BYTES = _RECORD_BYTES - 103
"""The maximum size of the content: a record without the header, the tag and the end of the padding."""
_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SIGNATURE_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key by which push services recognise this server (VAPID)."""

    private: ec.EllipticCurvePrivateKey

    @classmethod
    def derive(cls, secret: str) -> Self:
        """Return the key of a secret, which is always the same."""
        digest = hashlib.sha512(b"web push\0" + secret.encode()).digest()
        # The digest has more bits than the order of the curve, so that all keys are about equally likely.
        return cls(ec.derive_private_key(int.from_bytes(digest) % (_ORDER - 1) + 1, _CURVE))

    @property
    def public(self) -> str:
        """The public key, which browsers call applicationServerKey."""
        return encode(_point(self.private))

    def authorization(self, endpoint: str, contact: str) -> str:
        """Return the header for a request to an endpoint. `contact` is a URL for reports from the push service."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(time.time()) + _SIGNATURE_SECONDS,
            "sub": contact,
        }
        return f"vapid t={jwt.encode(claims, self.private, algorithm='ES256')}, k={self.public}"


def encrypt(
    content: bytes,
    p256dh: bytes,
    auth: bytes,
    *,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return the encrypted body for a device with this key and secret.

    Raises ValueError if the key is not a point of the curve or the content has more than MAX_CONTENT_BYTES.

    `salt` and `sender` must be new for each body. Only the example of the RFC sets them.
    """
    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError("The content does not fit into one record.")
    salt = salt or os.urandom(16)
    sender = sender or ec.generate_private_key(_CURVE)
    shared = sender.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, p256dh))
    own = _point(sender)
    secret = _derive(32, auth, shared, b"WebPush: info\0" + p256dh + own)
    key = _derive(16, salt, secret, b"Content-Encoding: aes128gcm\0")
    nonce = _derive(12, salt, secret, b"Content-Encoding: nonce\0")
    header = salt + struct.pack("!IB", _RECORD_BYTES, len(own)) + own
    return header + AESGCM(key).encrypt(nonce, content + b"\x02", None)


def is_public_key(p256dh: bytes) -> bool:
    """Return whether the key is valid for a device."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, p256dh)
    except ValueError:
        return False
    return len(p256dh) == 65


def encode(data: bytes) -> str:
    """Return the data in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the data of a base64url text. Raises ValueError if it is invalid."""
    if not text.isascii():
        raise ValueError
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


def _derive(length: int, salt: bytes, secret: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
