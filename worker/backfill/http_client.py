"""Calls a gateway's API with pauses between the calls, and retries while it is busy or unavailable."""

import json
import time
from collections.abc import Mapping
from typing import Final

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from worker.backfill.errors import BackfillError

TIMEOUT_SECONDS: Final = (10.0, 120.0)
"""The timeouts for connecting and between two reads of a response, because a gateway may take long to compute a page.
"""
MAX_RESPONSE_BYTES: Final = 64 << 20
ATTEMPTS: Final = 8
MAX_WAIT_SECONDS: Final = 60.0


class _BusyError(Exception):
    """The gateway is unavailable or asks to retry later."""

    def __init__(self, description: str, retry_after: float | None = None) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class BackfillClient:
    """The API of one gateway, with JSON requests and responses."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, pause_seconds: float) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._session.trust_env = False
        self._pause_seconds = pause_seconds
        self._last_call_at: float | None = None

    def get(
        self, path: str, parameters: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> object:
        """Return the JSON of the response. Raises BackfillError."""
        return self._call("GET", path, parameters=parameters, headers=headers)

    def post(self, path: str, body: object) -> object:
        """Return the JSON of the response. Raises BackfillError."""
        return self._call("POST", path, body=body)

    def _call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        def call() -> object:
            self._wait_for_turn()
            try:
                with self._session.request(
                    method,
                    f"{self._base_url}{path}",
                    params=parameters,
                    json=body,
                    headers=headers,
                    timeout=TIMEOUT_SECONDS,
                    # A redirect would send the key elsewhere.
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    content = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise _BusyError(f"does not answer ({type(error).__name__})") from error
            return _read(response, content)

        retrying = Retrying(
            retry=retry_if_exception_type(_BusyError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            reraise=True,
        )
        try:
            return retrying(call)
        except _BusyError as error:
            raise BackfillError(f"{self._base_url} {error}: run the backfill again to resume.") from error

    def _wait_for_turn(self) -> None:
        if self._last_call_at is not None:
            rest = self._last_call_at + self._pause_seconds - time.monotonic()
            if rest > 0:
                time.sleep(rest)
        self._last_call_at = time.monotonic()


def _wait(state: RetryCallState) -> float:
    error = None if state.outcome is None else state.outcome.exception()
    if isinstance(error, _BusyError) and error.retry_after is not None:
        return min(error.retry_after, MAX_WAIT_SECONDS)
    return wait_exponential_jitter(initial=1.0, max=MAX_WAIT_SECONDS, jitter=0.5)(state)


def _read(response: requests.Response, content: bytes) -> object:
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        retry_after = response.headers.get("Retry-After", "")
        raise _BusyError(f"answers {status}", float(retry_after) if retry_after.isdecimal() else None)
    where = response.url.partition("?")[0]
    if status in (401, 403):
        raise BackfillError(f"{where} answers {status}: the api_key of the sender is wrong.")
    if not 200 <= status < 300:
        raise BackfillError(f"{where} answers {status}: check the sender's base_url and the gateway's version.")
    if len(content) > MAX_RESPONSE_BYTES:
        raise BackfillError(f"{where} answers with more than {MAX_RESPONSE_BYTES >> 20} MiB: check the gateway.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BackfillError(f"{where} returns something other than JSON: check the sender's base_url.") from error
