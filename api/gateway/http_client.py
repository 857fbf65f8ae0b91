"""Makes one HTTP request to SAK and translates every failure into an error of `api.gateway.errors`."""

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from api.gateway import errors
from api.gateway.http_session import GatewayRequest, HttpSession, RawResponse
from api.gateway.settings import Settings

API_PATH = "/api/v1"
MAX_MESSAGE_LENGTH = 300
MAX_RELATIVE_SECONDS = 1e8
"""In seconds. A larger number in a rate-limit header is a time since 1970."""


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """The content of SAK's success envelope."""

    status: int
    data: object
    """The value of `data`, or None if it is absent."""
    elapsed_seconds: float


class HttpClient:
    """A pool of connections to SAK, which many threads may use."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.base_url
        secrets = [secret for secret in (settings.jwt, settings.api_key) if secret]
        self._session = HttpSession("SAK", settings.base_url, secrets)

    def close(self) -> None:
        self._session.close()

    def request(self, request: GatewayRequest, *, connect_seconds: float, seconds: float) -> GatewayResponse:
        """Make one attempt, which takes at most `seconds` in total. Raises the errors of `api.gateway.errors`."""
        response = self._session.request(request, connect_seconds=connect_seconds, seconds=seconds)
        return self._parse_response(request.method, response)

    def _parse_response(self, method: str, response: RawResponse) -> GatewayResponse:
        status, envelope, elapsed = response.status, response.fields, response.elapsed_seconds
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
            retry_after = parse_retry_after(response.headers, time.time())
            sentence = f"SAK's rate limit is reached: {sentence}"
            raise errors.RateLimitedError(sentence, code=code, retry_after=retry_after)
        if 300 <= status < 400:
            raise errors.RefusedError("SAK_BASE_URL redirects; set it to the target of the redirect", status=status)
        # 408 comes from a proxy in front of SAK and does not show whether the request was executed.
        if 400 <= status < 500 and status != 408:
            raise errors.RefusedError(f"SAK rejected the request: {sentence}", code=code, status=status)
        sentence = f"SAK responded with status {status}: {sentence}"
        raise errors.OutcomeUnknownError(
            sentence, code=code, status=status, elapsed_seconds=elapsed, gateway_message=reason
        )

    def _error_details(self, envelope: Mapping[str, object] | None) -> tuple[str | None, str | None]:
        """Return SAK's code and reason, if present."""
        error = None if envelope is None else envelope.get("error")
        if not isinstance(error, dict):
            return None, None
        fields = cast("dict[str, object]", error)
        code, message = fields.get("code"), fields.get("message")
        return (
            self._session.redact(code)[:64] if isinstance(code, str) else None,
            (self._session.redact(message)[:MAX_MESSAGE_LENGTH] or None) if isinstance(message, str) else None,
        )


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait after a rate limit, from Retry-After or from RateLimit-* as spelled in its drafts."""
    retry_after = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except (ValueError, OverflowError):
        pass  # not a date either: try the other headers
    combined = re.search(r"(?:\breset=|;\s*t=)([0-9]{1,10})\b", headers.get("RateLimit", ""))
    for name in ("RateLimit-Reset", "X-RateLimit-Reset"):
        text = headers.get(name, combined.group(1) if combined else "").strip()
        if re.fullmatch(r"[0-9]{1,10}", text):
            seconds = float(text)
            return max(0.0, seconds - now) if seconds > MAX_RELATIVE_SECONDS else seconds
    return None
