"""Makes one HTTP request to SAK, and translates every failure into an error of `api.gateway.errors`."""

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

API_PATH = "/api/v1"
MAX_RESPONSE_BYTES = 1 << 20
MAX_MESSAGE_LENGTH = 300
MAX_RELATIVE_SECONDS = 1e8
"""Seconds; a larger number in a rate-limit header is a time since 1970."""


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """The content of SAK's success envelope."""

    status: int
    data: object
    """The value of `data`; None where it is absent."""
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    method: str
    path: str
    """Below the base URL, with quoted segments."""
    credentials: Mapping[str, str]
    query: Mapping[str, str | int] | None = None
    json: object = None
    body: Iterable[bytes] | None = None
    """Must have a length."""
    content_type: str | None = None


class _Credentials(AuthBase):
    """Sets the headers as `auth`, so that requests does not replace them with credentials from ~/.netrc."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class HttpClient:
    """A pool of connections to SAK, for use by many threads."""

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
        """One attempt, which takes at most `seconds` in total; raises the errors of `api.gateway.errors`."""
        if seconds <= 0:
            raise errors.UnreachableError("no time left to call SAK")
        attempt = transport.RequestAttempt(seconds)
        try:
            with attempt.within_deadline():
                status, headers, body = self._request(request, (min(connect_seconds, seconds), seconds))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._transport_error(attempt, error) from error
        if attempt.expired:
            raise self._transport_error(attempt, None)
        return self._parse_response(request.method, status, headers, body, attempt.elapsed_seconds)

    def _request(self, request: GatewayRequest, timeout: tuple[float, float]) -> tuple[int, Mapping[str, str], bytes]:
        headers = {} if request.content_type is None else {"Content-Type": request.content_type}
        data: Iterable[bytes] | bytes | None = request.body
        if request.json is not None:
            # As UTF-8: SAK refuses bodies over 100 kB, and an escaped text of Hindi has twice its bytes.
            data = json.dumps(request.json, ensure_ascii=False).encode(errors="replace")
            headers["Content-Type"] = "application/json"
        with self._session.request(
            request.method,
            self._base_url + request.path,
            params=request.query,
            data=data,
            headers=headers,
            auth=_Credentials(request.credentials),
            timeout=timeout,
            # The credentials are for this host only.
            allow_redirects=False,
            stream=True,
        ) as response:
            body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            return response.status_code, response.headers, body

    def _transport_error(self, attempt: transport.RequestAttempt, error: Exception | None) -> errors.SakError:
        cause = f"after {attempt.elapsed_seconds:.1f} s" if error is None else type(error).__name__
        if not attempt.was_sent:
            return errors.UnreachableError(f"SAK could not be reached ({cause})")
        if attempt.expired:
            return errors.OutcomeUnknownError(f"SAK did not respond within {attempt.elapsed_seconds:.1f} s")
        return errors.OutcomeUnknownError(f"the connection to SAK broke before its response was complete ({cause})")

    def _parse_response(
        self, method: str, status: int, headers: Mapping[str, str], body: bytes, elapsed: float
    ) -> GatewayResponse:
        envelope = _parse_object(body)
        if 200 <= status < 300 and envelope is not None and envelope.get("success") is True:
            return GatewayResponse(status, envelope.get("data"), elapsed)
        code, reason = self._error_details(envelope)
        sentence = reason or ("the response is no JSON object" if envelope is None else "no reason given")
        is_page = envelope is None and 200 <= status < 300
        if not self._base_url.endswith(API_PATH) and (is_page or status == 404):
            sentence += f"; SAK_BASE_URL does not end in {API_PATH}, as the address of SAK's API does"
            if is_page and method == "GET":  # SAK's web page, which answers every GET
                raise errors.RefusedError(f"SAK did not answer: {sentence}", status=status)
        if status == 429:
            retry_after = parse_retry_after(headers, time.time())
            sentence = f"SAK's rate limit is reached: {sentence}"
            raise errors.RateLimitedError(sentence, code=code, retry_after=retry_after)
        if 300 <= status < 400:
            raise errors.RefusedError("SAK_BASE_URL redirects; set it to the target of the redirect", status=status)
        # 408 comes from a proxy in front of SAK and says nothing about the request's execution.
        if 400 <= status < 500 and status != 408:
            raise errors.RefusedError(f"SAK rejected the request: {sentence}", code=code, status=status)
        sentence = f"SAK responded with status {status}: {sentence}"
        raise errors.OutcomeUnknownError(
            sentence, code=code, status=status, elapsed_seconds=elapsed, gateway_message=reason
        )

    def _error_details(self, envelope: Mapping[str, object] | None) -> tuple[str | None, str | None]:
        """SAK's code and its reason, where it gave them."""
        error = None if envelope is None else envelope.get("error")
        if not isinstance(error, dict):
            return None, None
        fields = cast("dict[str, object]", error)
        code, message = fields.get("code"), fields.get("message")
        return (
            self._redact(code)[:64] if isinstance(code, str) else None,
            (self._redact(message)[:MAX_MESSAGE_LENGTH] or None) if isinstance(message, str) else None,
        )

    def _redact(self, text: str) -> str:
        """SAK's text on one line, without our secrets if it repeats them."""
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
    """Seconds to wait after a rate limit: Retry-After, else RateLimit-* in the spellings of its drafts."""
    retry_after = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except ValueError:
        pass  # not a date either: try the other headers
    combined = re.search(r"(?:\breset=|;\s*t=)([0-9]{1,10})\b", headers.get("RateLimit", ""))
    for name in ("RateLimit-Reset", "X-RateLimit-Reset"):
        text = headers.get(name, combined.group(1) if combined else "").strip()
        if re.fullmatch(r"[0-9]{1,10}", text):
            seconds = float(text)
            return max(0.0, seconds - now) if seconds > MAX_RELATIVE_SECONDS else seconds
    return None
