"""Runs a small OpenID Connect provider on the loopback interface, which can also sign in with wrong claims."""

import base64
import functools
import hashlib
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "history", "made-up-secret-of-the-client"
ALLOW = "asha@shop.example=read+write,@office.example=read,group:admins=read+write+admin"


@dataclass(slots=True)
class IdentityProvider:
    """A provider that answers at `issuer` until its block ends."""

    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u1", "email": "asha@shop.example", "email_verified": True}
    )
    """The claims of the person who signs in."""
    forged: dict[str, Any] = field(default_factory=dict[str, Any])
    """Claims that replace the right ones in the ID token."""
    algorithm: str = "RS256"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields that replace the right ones in the metadata."""
    declines: bool = False
    token_status: int = 200
    key: RSAKey = field(default_factory=lambda: _generate_key("published"))
    signs_with_another_key: bool = False
    """Whether it signs with a key other than the published one."""
    issuer: str = ""
    redirect_url: str = ""
    """The only registered redirect URL."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _listener: socket.socket | None = None

    def environ(self) -> dict[str, str]:
        """Return the variables of an API that uses this provider. `{url}` stands for the URL of the API."""
        return {
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_REDIRECT_URL": "{url}/sign-in/callback",
            "OIDC_ALLOW": ALLOW,
        }

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._document),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        assert self._thread
        assert self._listener
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    async def _document(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            | self.metadata
        )

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked["client_id"] != CLIENT_ID or asked["redirect_uri"] != self.redirect_url:
            return PlainTextResponse("unknown client or address", 400)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        answer = {"state": asked["state"], "iss": self.issuer}
        if self.declines:
            return RedirectResponse(f"{self.redirect_url}?{urlencode(answer | {'error': 'access_denied'})}", 302)
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"challenge": asked["code_challenge"], "nonce": asked["nonce"]}
        return RedirectResponse(f"{self.redirect_url}?{urlencode(answer | {'code': code})}", 302)

    async def _token(self, request: Request) -> Response:
        if self.token_status != 200:
            return PlainTextResponse("broken", self.token_status)
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        async with request.form() as form:
            given = {name: str(value) for name, value in form.items()}
        grant = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            request.headers["authorization"] != f"Basic {expected}"
            or grant is None
            or grant["challenge"] != challenge
            or given["redirect_uri"] != self.redirect_url
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": grant["nonce"]}
        claims = {**claims, **self.person, **self.forged}
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self._sign(claims)})

    def _sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.algorithm, "kid": "k1"}
        if self.algorithm == "none":
            parts = (header, claims)
            encoded = (base64.urlsafe_b64encode(JSONResponse(part).body).decode().rstrip("=") for part in parts)
            return ".".join([*encoded, ""])
        if self.algorithm == "HS256":
            return jwt.encode(header, claims, OctKey.import_key(CLIENT_SECRET), algorithms=["HS256"])
        key = _generate_key("another") if self.signs_with_another_key else self.key
        return jwt.encode(header, claims, key, algorithms=[self.algorithm])

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@functools.cache
def _generate_key(_purpose: str) -> RSAKey:
    """Return the key for a purpose, the same for each provider, because making one takes longer than a test."""
    return RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
