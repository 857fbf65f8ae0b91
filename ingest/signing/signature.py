"""Verifies webhooks by an HMAC of the raw body, by a JWT, or by a header of the operator's choice."""

import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias, cast

import jwt

from environment.sender_kinds import STATIC_HEADER_PATTERN, Scheme
from ingest.queue import form_data

Credentials: TypeAlias = Mapping[bytes, bytes]
"""The headers that may authenticate a request, by name in lower case."""

_HTML_CHARACTERS = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


class Verifier:
    """The secrets of one sender, each of which may authenticate a webhook."""

    def __init__(self, scheme: Scheme, secrets: Sequence[bytes]) -> None:
        self._scheme = scheme
        self._header = scheme.header.encode()
        self._prefix = scheme.prefix.encode()
        self._hmacs: tuple[hmac.HMAC, ...] = ()
        self._jwt_keys: tuple[bytes, ...] = ()
        self._static_headers: tuple[tuple[bytes, bytes], ...] = ()
        self.headers = frozenset({self._header})
        """The headers of `Credentials`."""
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Accept these secrets and no others."""
        static, keys = _split(secrets) if self._scheme.allows_static_header else ((), tuple(secrets))
        self._static_headers = static
        if self._scheme.algorithm == "jwt":
            self._jwt_keys = keys
        else:
            # The HMACs are copied for each body: deriving the key's two blocks again would cost as much as hashing the
            # body. hmac gets no name of the algorithm, because the HMACs of OpenSSL take longer to copy than two
            # hashes.
            algorithm = partial(hashlib.new, self._scheme.algorithm)
            self._hmacs = tuple(hmac.new(key, digestmod=algorithm) for key in keys)
        self.headers = frozenset({self._header, *(name for name, _ in static)})

    def verify(self, body: bytes, credentials: Credentials, now: float) -> bool:
        """Return whether the headers authenticate the body at this time, in seconds since 1970.

        Malformed headers do not.
        """
        signature = credentials.get(self._header)
        if signature is not None and self._hmacs:
            claimed = signature.strip().lower()
            if self._scheme.signs_form_as_json and form_data.is_form_data(body):
                body = _as_go_json(form_data.fields(body))
            for keyed in self._hmacs:
                signed = keyed.copy()
                signed.update(body)
                if self._matches(signed, claimed):
                    return True
        return self._is_authenticated(credentials, now)

    def begin(self) -> "BodyDigest":
        """Return a digest for a body that is too large to keep."""
        return BodyDigest(self, [keyed.copy() for keyed in self._hmacs])

    def matches(self, hmacs: Sequence[hmac.HMAC], credentials: Credentials, now: float) -> bool:
        """Return whether the headers authenticate a body with these HMACs."""
        claimed = credentials.get(self._header, b"").strip().lower()
        return any(self._matches(keyed, claimed) for keyed in hmacs) or self._is_authenticated(credentials, now)

    def _matches(self, signed: hmac.HMAC, claimed: bytes) -> bool:
        return hmac.compare_digest(self._prefix + signed.hexdigest().encode(), claimed)

    def _is_authenticated(self, credentials: Credentials, now: float) -> bool:
        """Return whether a header authenticates the sender without signing the body."""
        for name, value in self._static_headers:
            if (sent := credentials.get(name)) is not None and hmac.compare_digest(value, sent.strip()):
                return True
        sent = credentials.get(self._header)
        if sent is None or not self._jwt_keys or not sent.startswith(self._prefix):
            return False
        token = sent[len(self._prefix) :].strip()
        return any(_is_valid_jwt(token, key, now) for key in self._jwt_keys)


class BodyDigest:
    """The HMACs of a body that arrives in parts."""

    def __init__(self, verifier: Verifier, hmacs: Sequence[hmac.HMAC]) -> None:
        self._verifier = verifier
        self._hmacs = hmacs

    def update(self, piece: bytes) -> None:
        for keyed in self._hmacs:
            keyed.update(piece)

    def matches(self, credentials: Credentials, now: float) -> bool:
        """Return whether the headers authenticate all parts together."""
        return self._verifier.matches(self._hmacs, credentials, now)


def _split(secrets: Sequence[bytes]) -> tuple[tuple[tuple[bytes, bytes], ...], tuple[bytes, ...]]:
    """Return the static headers among the secrets, and the keys."""
    found = [(secret, STATIC_HEADER_PATTERN.fullmatch(secret.decode())) for secret in secrets]
    static = tuple((match[1].lower().encode(), match[2].encode()) for _, match in found if match is not None)
    return static, tuple(secret for secret, match in found if match is None)


def _is_valid_jwt(token: bytes, key: bytes, now: float) -> bool:
    """Return whether the token is signed with the key by HS256 and expires after `now`. It must have `exp`."""
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False, "require": ["exp"]}
    try:
        with warnings.catch_warnings():
            # The gateway decides about the length of its key.
            warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
            claims = cast("Mapping[str, object]", jwt.decode(token, key, ["HS256"], options))  # pyright: ignore[reportUnknownMemberType, reportArgumentType]
    except jwt.PyJWTError:
        return False
    expires = claims["exp"]
    return isinstance(expires, int | float) and not isinstance(expires, bool) and now < expires


def _as_go_json(fields: Mapping[str, str]) -> bytes:
    """Return the fields as Go writes JSON, which gateways written in Go sign: sorted, with escaped HTML characters."""
    text = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.translate(_HTML_CHARACTERS).encode(errors="replace")
