"""One request to SAK and its answer; the border at which every other kind of end becomes an error of ours."""

import email.utils
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
import urllib3
from requests.auth import AuthBase

from api.gateway import errors, transport
from api.gateway.settings import Settings

MAX_RESPONSE_BYTES = 1 << 20
MAX_MESSAGE_LENGTH = 300
MAX_RELATIVE_SECONDS = 1e8
"""Seconds; a rate limit that names more names a moment."""


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """SAK's success envelope."""

    status: int
    data: object
    """What stands under `data`; None where there is nothing."""
    elapsed_seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    method: str
    path: str
    """Below the base URL, each part quoted."""
    credentials: Mapping[str, str]
    query: Mapping[str, str | int] | None = None
    json: object = None
    body: Iterable[bytes] | None = None
    """Sized: it knows its length."""
    content_type: str | None = None


class _Credentials(AuthBase):
    """Sets the headers as an `auth`, so that a ~/.netrc cannot put another one in their place."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class HttpClient:
    """A pool of connections to one SAK; usable from many threads."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.base_url
        self._secrets = [secret for secret in (settings.jwt, settings.api_key) if secret]
        self._session = requests.Session()
        self._session.mount("http://", transport.TrackingAdapter())
        self._session.mount("https://", transport.TrackingAdapter())
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update({"User-Agent": "sak-history", "Accept": "application/json"})

    def close(self) -> None:
        self._session.close()

    def request(self, request: GatewayRequest, *, connect_seconds: float, seconds: float) -> GatewayResponse:
        """Asks once, for at most `seconds` altogether; raises the errors of `api.gateway.errors`."""
        if seconds <= 0:
            raise errors.UnreachableError("no time was left to ask SAK")
        attempt = transport.RequestAttempt(seconds)
        try:
            with attempt.within_deadline():
                status, headers, body = self._request(request, (min(connect_seconds, seconds), seconds))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._transport_error(attempt, error) from error
        if attempt.expired:
            raise self._transport_error(attempt, None)
        return self._parse_response(status, headers, body, attempt.elapsed_seconds)

    def _request(self, request: GatewayRequest, timeout: tuple[float, float]) -> tuple[int, Mapping[str, str], bytes]:
        headers = {} if request.content_type is None else {"Content-Type": request.content_type}
        with self._session.request(
            request.method,
            self._base_url + request.path,
            params=request.query,
            json=request.json,
            data=request.body,
            headers=headers,
            auth=_Credentials(request.credentials),
            timeout=timeout,
            # Our headers are for this host only.
            allow_redirects=False,
            stream=True,
        ) as response:
            body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            return response.status_code, response.headers, body

    def _transport_error(self, attempt: transport.RequestAttempt, error: Exception | None) -> errors.SakError:
        why = f"after {attempt.elapsed_seconds:.1f} s" if error is None else type(error).__name__
        if not attempt.was_sent:
            return errors.UnreachableError(f"SAK could not be reached ({why})")
        if attempt.expired:
            return errors.OutcomeUnknownError(f"SAK did not answer within {attempt.elapsed_seconds:.1f} s")
        return errors.OutcomeUnknownError(f"the connection to SAK broke before its answer was in ({why})")

    def _parse_response(
        self, status: int, headers: Mapping[str, str], body: bytes, elapsed_seconds: float
    ) -> GatewayResponse:
        envelope = _parse_object(body)
        if 200 <= status < 300 and envelope is not None and envelope.get("success") is True:
            return GatewayResponse(status, envelope.get("data"), elapsed_seconds)
        code, sentence = self._error_details(envelope)
        if status == 429:
            told = parse_retry_after(headers, time.time())
            raise errors.RateLimitedError(f"SAK's rate limit is reached: {sentence}", code=code, retry_after=told)
        if 300 <= status < 400:
            raise errors.RefusedError("SAK_BASE_URL answers with a redirect; set it to where that leads", status=status)
        # 408 is said of a request that came too slowly, by whoever stands in front.
        if 400 <= status < 500 and status != 408:
            raise errors.RefusedError(f"SAK refused: {sentence}", code=code, status=status)
        raise errors.OutcomeUnknownError(
            f"SAK answered {status}: {sentence}", code=code, status=status, elapsed_seconds=elapsed_seconds
        )

    def _error_details(self, envelope: Mapping[str, object] | None) -> tuple[str | None, str]:
        if envelope is None:
            return None, "no JSON object in it"
        error = envelope.get("error")
        if not isinstance(error, dict):
            return None, "no reason given"
        told = cast("dict[str, object]", error)
        code, message = told.get("code"), told.get("message")
        return (
            self._redact(code)[:64] if isinstance(code, str) else None,
            self._redact(message)[:MAX_MESSAGE_LENGTH] if isinstance(message, str) else "no reason given",
        )

    def _redact(self, text: str) -> str:
        """SAK's words, on one line and without our own secrets, should it repeat them."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _parse_object(body: bytes) -> dict[str, Any] | None:
    if len(body) > MAX_RESPONSE_BYTES:
        return None
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a rate limit asks to wait: Retry-After, else RateLimit-* in any of its drafts' spellings."""
    asked = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return float(asked)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - now)
    except ValueError:
        pass  # no date either: the other headers
    combined = re.search(r"(?:\breset=|;\s*t=)([0-9]{1,10})\b", headers.get("RateLimit", ""))
    for name in ("RateLimit-Reset", "X-RateLimit-Reset"):
        word = headers.get(name, combined.group(1) if combined else "").strip()
        if re.fullmatch(r"[0-9]{1,10}", word):
            moment = float(word)
            return (
                max(0.0, moment - now) if moment > MAX_RELATIVE_SECONDS else moment
            )  # some count since 1970, some from now
    return None
