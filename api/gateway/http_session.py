"""Makes one HTTP request to a gateway before a deadline. Errors show whether the request was sent."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import requests
import urllib3

from api.gateway import errors, transport

MAX_RESPONSE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    method: str
    path: str
    """The path below the base URL, with quoted segments."""
    headers: Mapping[str, str]
    """The headers with the credentials."""
    query: Mapping[str, str | int] | None = None
    json: object = None
    body: Iterable[bytes] | None = None
    """The body in chunks. The iterable must have a length."""
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class RawResponse:
    status: int
    headers: Mapping[str, str]
    value: object
    """The JSON value of the body, or None for any other body."""
    elapsed_seconds: float

    @property
    def fields(self) -> dict[str, Any] | None:
        """The JSON object in the body, or None for any other body."""
        value = self.value
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class HttpSession:
    """A pool of connections to one gateway, which many threads may use. `name` is its name in errors."""

    def __init__(self, name: str, base_url: str, secrets: Sequence[str]) -> None:
        self.name = name
        self.base_url = base_url
        self._secrets = secrets
        self._session = transport.create_session()
        self._session.headers["Accept"] = "application/json"

    def close(self) -> None:
        self._session.close()

    def request(self, request: GatewayRequest, *, connect_seconds: float, seconds: float) -> RawResponse:
        """Make one attempt, which takes at most `seconds` in total. Raises UnreachableError and OutcomeUnknownError."""
        if seconds <= 0:
            raise errors.UnreachableError(f"no time left to call {self.name}")
        attempt = transport.RequestAttempt(seconds)
        try:
            with attempt.within_deadline():
                status, headers, body = self._request(request, (min(connect_seconds, seconds), seconds))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._transport_error(attempt, error) from error
        if attempt.expired:
            raise self._transport_error(attempt, None)
        return RawResponse(status, headers, _parse(body), attempt.elapsed_seconds)

    def redact(self, text: str) -> str:
        """Return the gateway's text on one line, with our secrets removed if it contains them."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return " ".join("".join(character if character.isprintable() else " " for character in text).split())

    def _request(self, request: GatewayRequest, timeout: tuple[float, float]) -> tuple[int, Mapping[str, str], bytes]:
        headers = {} if request.content_type is None else {"Content-Type": request.content_type}
        data: Iterable[bytes] | bytes | None = request.body
        if request.json is not None:
            # The body is UTF-8, because SAK rejects bodies over 100 kB, and an escaped Hindi text is twice as long.
            data = json.dumps(request.json, ensure_ascii=False).encode(errors="replace")
            headers["Content-Type"] = "application/json"
        with self._session.request(
            request.method,
            self.base_url + request.path,
            params=request.query,
            data=data,
            headers=headers,
            auth=transport.HeaderAuth(request.headers),
            timeout=timeout,
            # The credentials are only for this host.
            allow_redirects=False,
            stream=True,
        ) as response:
            body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            return response.status_code, response.headers, body

    def _transport_error(self, attempt: transport.RequestAttempt, error: Exception | None) -> errors.GatewayError:
        cause = f"after {attempt.elapsed_seconds:.1f} s" if error is None else type(error).__name__
        name = self.name
        if not attempt.was_sent:
            return errors.UnreachableError(f"{name} could not be reached ({cause})")
        if attempt.expired:
            return errors.OutcomeUnknownError(f"{name} did not respond within {attempt.elapsed_seconds:.1f} s")
        return errors.OutcomeUnknownError(f"the connection to {name} broke before its response was complete ({cause})")


def _parse(body: bytes) -> object:
    if len(body) > MAX_RESPONSE_BYTES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
