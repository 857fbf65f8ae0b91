"""Parses SAK's responses, and translates those that report a failure into errors of `api.gateway.errors`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from api.gateway import errors, retry_after
from api.gateway.http_session import HttpSession, RawResponse

_API_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class SakResponse:
    """The content of SAK's success envelope."""

    status: int
    data: object
    """The value of `data`, or None if it is absent."""
    elapsed_seconds: float


def parse(http: HttpSession, method: str, response: RawResponse) -> SakResponse:
    """Return the content of the response to a request with this method, or raise the error that it reports."""
    status, envelope, elapsed = response.status, response.fields, response.elapsed_seconds
    if 200 <= status < 300 and envelope is not None and envelope.get("success") is True:
        return SakResponse(status, envelope.get("data"), elapsed)
    code, reason = _error_details(http, envelope)
    sentence = reason or ("the response is no JSON object" if envelope is None else "no reason given")
    is_page = envelope is None and 200 <= status < 300
    if not http.base_url.endswith(_API_PATH) and (is_page or status == 404):
        sentence += f"; SAK_BASE_URL does not end in {_API_PATH}, as the address of SAK's API does"
        if is_page and method == "GET":  # SAK's web page, which answers every GET
            raise errors.RefusedError(f"SAK did not answer: {sentence}", status=status)
    if status == 429:
        seconds = retry_after.parse(response.headers, time.time())
        raise errors.RateLimitedError(f"SAK's rate limit is reached: {sentence}", code=code, retry_after=seconds)
    if 300 <= status < 400:
        raise errors.RefusedError("SAK_BASE_URL redirects; set it to the target of the redirect", status=status)
    # 408 comes from a proxy in front of SAK and does not show whether the request was executed.
    if 400 <= status < 500 and status != 408:
        raise errors.RefusedError(f"SAK rejected the request: {sentence}", code=code, status=status)
    sentence = f"SAK responded with status {status}: {sentence}"
    raise errors.OutcomeUnknownError(
        sentence, code=code, status=status, elapsed_seconds=elapsed, gateway_message=reason
    )


def _error_details(http: HttpSession, envelope: Mapping[str, object] | None) -> tuple[str | None, str | None]:
    """Return SAK's code and reason, if present."""
    error = None if envelope is None else envelope.get("error")
    if not isinstance(error, dict):
        return None, None
    fields = cast("dict[str, object]", error)
    code, message = fields.get("code"), fields.get("message")
    return (
        http.redact(code)[: errors.MAX_CODE_LENGTH] if isinstance(code, str) else None,
        (http.redact(message)[: errors.MAX_MESSAGE_LENGTH] or None) if isinstance(message, str) else None,
    )
