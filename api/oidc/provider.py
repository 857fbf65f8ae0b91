"""Communicates with the provider, using the authorization code flow with PKCE from Authlib.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth. Only addresses in the provider's own document are
called, only over TLS (or on this machine), and redirects are not followed.
"""

import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import requests
import urllib3
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from api.oidc import rules
from api.oidc.errors import DeclinedError, InvalidResponseError, NotAllowedError, ProviderUnavailableError
from api.oidc.settings import OidcSettings, is_safe_url

_TIMEOUT_SECONDS = 5.0
_METADATA_SECONDS = 600.0
"""The time in seconds for which the provider's document is used before it is read again."""
_MAX_DOCUMENT_BYTES = 1 << 20
_LEEWAY_SECONDS = 60
"""The greatest difference between the provider's clock and ours, in seconds."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Algorithms with the provider's private key. `none` and HS256 are excluded, because their keys are public or the
client's.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one attempt to sign in, which only the cookie of its browser can restore."""

    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Person:
    subject: str
    """The provider's address, and its permanent identifier of the person."""
    name: str
    """The verified e-mail address, or else the provider's name of the person."""
    scopes: frozenset[str]


class Provider:
    """One provider, which many threads may use."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._metadata: Mapping[str, object] = {}
        self._read_at = float("-inf")

    def authorization_url(self, attempt: Attempt) -> str:
        """Return the address at which the browser signs in. Raises ProviderUnavailableError."""
        client = self._client(self._current_metadata())
        url, _ = client.create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
        )
        return url

    def sign_in(self, attempt: Attempt, response: Mapping[str, str]) -> Person:
        """Return the person identified by the response that the browser brought from the provider.

        Raises SignInError.
        """
        if not hmac.compare_digest(response.get("state", "").encode(), attempt.state.encode()):
            raise InvalidResponseError("the state is not that of the attempt")
        # https://www.rfc-editor.org/rfc/rfc9207: a response from another provider.
        if response.get("iss", self.settings.issuer) != self.settings.issuer:
            raise InvalidResponseError("the response is another provider's")
        if "error" in response:
            raise DeclinedError("the provider declined")
        claims = self._verify(self._fetch_tokens(attempt, response.get("code", "")), attempt)
        scopes = rules.scopes_of(self.settings.rules, claims, self.settings.groups_claim)
        if not scopes:
            raise NotAllowedError("OIDC_ALLOW has no rule for the person")
        subject = cast("str", claims["sub"])
        return Person(f"{self.settings.issuer} {subject}", rules.verified_email(claims) or subject, scopes)

    def _fetch_tokens(self, attempt: Attempt, code: str) -> dict[str, Any]:
        if not code:
            raise InvalidResponseError("there is no code")
        client = self._client(self._current_metadata())
        try:
            tokens = client.fetch_token(
                self._endpoint("token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.code_verifier,
                allow_redirects=False,
            )
        except OAuthError as error:
            raise InvalidResponseError("the provider refused the code") from error
        except (requests.RequestException, ValueError, AttributeError, TypeError) as error:
            raise ProviderUnavailableError("the provider gives no tokens") from error
        return dict(tokens)

    def _verify(self, tokens: Mapping[str, Any], attempt: Attempt) -> dict[str, object]:
        """Return the claims of the ID token after checking signature, issuer, audience, time and nonce."""
        try:
            keys = KeySet.import_key_set(cast("Any", self._read_document(self._endpoint("jwks_uri"))))
            decoded = jwt.decode(
                str(tokens.get("id_token", "")),
                keys,
                registry=JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False),
            )
            claims: Any = cast("Any", CodeIDToken)(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "nonce": {"essential": True, "value": attempt.nonce},
                    "sub": {"essential": True},
                },
                {
                    "nonce": attempt.nonce,
                    "client_id": self.settings.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidResponseError(f"the ID token is not valid ({type(error).__name__})") from error
        verified = cast("dict[str, object]", dict(claims))
        if not isinstance(verified["sub"], str) or not verified["sub"].isprintable() or len(verified["sub"]) > 255:
            raise InvalidResponseError("the ID token has no subject")
        return verified

    def _client(self, metadata: Mapping[str, object]) -> Any:  # noqa: ANN401 - Authlib has no types
        methods = metadata.get("token_endpoint_auth_methods_supported")
        is_post = isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
        return cast("Any", OAuth2Session)(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret,
            token_endpoint_auth_method="client_secret_post" if is_post else "client_secret_basic",
            scope=self.settings.scope,
            redirect_uri=self.settings.redirect_url,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT_SECONDS,
        )

    def _current_metadata(self) -> Mapping[str, object]:
        with self._lock:
            if time.monotonic() - self._read_at >= _METADATA_SECONDS:
                found = self._read_document(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.settings.issuer:
                    raise ProviderUnavailableError("the provider's document is of another issuer than OIDC_ISSUER")
                self._metadata, self._read_at = found, time.monotonic()
            return self._metadata

    def _endpoint(self, name: str) -> str:
        url = self._current_metadata().get(name)
        if not isinstance(url, str) or not is_safe_url(url):
            raise ProviderUnavailableError(f"the provider's document has no {name} with https://")
        return url

    @staticmethod
    def _read_document(url: str) -> dict[str, object]:
        try:
            # `auth` keeps requests from using credentials from ~/.netrc.
            with requests.get(
                url, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True, auth=lambda request: request
            ) as response:
                body = response.raw.read(_MAX_DOCUMENT_BYTES, decode_content=True)
                document: object = json.loads(body) if response.status_code == 200 else None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise ProviderUnavailableError(
                f"a document of the provider cannot be read ({type(error).__name__})"
            ) from error
        if not isinstance(document, dict):
            raise ProviderUnavailableError("the provider returned something other than its document")
        return cast("dict[str, object]", document)
