"""Sends messages through a gateway of `senders.toml`, with the same errors as SAK's client."""

import copy
import time
from collections.abc import Mapping
from typing import Self

from api.gateway import errors, retry_after, timeouts
from api.gateway.http_session import GatewayRequest, HttpSession, RawResponse
from api.gateway.media import MediaFile
from api.gateway.payloads import SendResponse
from api.gateway.senders import message_lists, sender_responses
from api.gateway.senders.message_lists import ListedMessage
from api.gateway.senders.send_apis import SEND_APIS, OutgoingMessage
from api.gateway.timeouts import Timeouts
from environment.senders_file import Sender


class SenderClient:
    """A client of one gateway, which many threads may share. Its calls raise the errors of `api.gateway.errors`."""

    def __init__(self, sender: Sender, timeouts: Timeouts | None = None) -> None:
        """Create a client, whose calls raise NotConfiguredError if the sender lacks an address or a key."""
        self.sender = sender
        self._reference: str | None = None
        self._api = SEND_APIS[sender.kind]
        self._timeouts = timeouts or Timeouts()
        base_url = sender.base_url or self._api.base_url
        secrets = [secret for secret in (sender.api_key, *sender.secrets) if secret]
        self._http = None if base_url is None else HttpSession(self._api.name, base_url, secrets)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def for_send(self, reference: str) -> Self:
        """Return a client for one send. Some gateways repeat the reference in their events."""
        client = copy.copy(self)
        client._reference = reference  # noqa: SLF001 - a copy of this class
        return client

    def send_text(self, to: str, text: str, session_id: str) -> SendResponse:
        """Send a text to the digits `to`. After OutcomeUnknownError it may have been sent, so do not repeat it."""
        return self._send(OutgoingMessage(self._session_name(session_id), to, text, reference=self._reference))

    def send_media(self, to: str, file: MediaFile, caption: str, session_id: str) -> SendResponse:
        """Send a file. Each attempt reads it again."""
        return self._send(OutgoingMessage(self._session_name(session_id), to, caption, file, self._reference))

    def list_sent(self, session_id: str, to: str) -> list[ListedMessage] | None:
        """Return the newest outgoing messages to the digits `to`, or None if the gateway keeps no list."""
        return message_lists.newest(self.sender.kind, self.call, self._session_name(session_id), to)

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> object:
        """Make a call other than a send and return the JSON of the response.

        A POST is repeated only if it was certainly not executed.
        """
        http, credentials = self._connection()
        request = GatewayRequest(method, path, {**credentials, **(headers or {})}, json=body)
        retry_on = timeouts.RETRYABLE_IF_NOT_EXECUTED if method == "POST" else timeouts.RETRYABLE_IF_IDEMPOTENT
        end = time.monotonic() + self._timeouts.total
        return self._call(http, request, retry_on, end, needs_object=False).value

    @property
    def title(self) -> str:
        """The name of the gateway as its users know it."""
        return self._api.name

    def _session_name(self, session_id: str) -> str:
        """Return the gateway's name of a session, whose id starts with the sender's name."""
        return session_id.removeprefix(f"{self.sender.name}:")

    def _send(self, message: OutgoingMessage) -> SendResponse:
        http, credentials = self._connection()
        end = time.monotonic() + self._timeouts.total
        prepared = self._prepare(http, message, credentials, end)
        response = self._call(
            http, self._api.send(message, credentials, prepared), timeouts.RETRYABLE_IF_NOT_EXECUTED, end
        )
        # A gateway with a queue reports a message as sent when it accepts it, and no result later.
        return SendResponse("sent", sender_responses.message_id(response.fields, self._api.id_paths))

    def _connection(self) -> tuple[HttpSession, Mapping[str, str]]:
        """Return the connection and its headers. Raises NotConfiguredError."""
        if self._http is None or self.sender.api_key is None:
            missing = "api_key" if self._http is not None else "base_url"
            raise errors.NotConfiguredError(f"{missing} of [{self.sender.name}] is not set in senders.toml")
        return self._http, self._api.credentials(self.sender.api_key)

    def _prepare(
        self, http: HttpSession, message: OutgoingMessage, credentials: Mapping[str, str], end: float
    ) -> str | None:
        preparation = self._api.preparation
        request = None if preparation is None else preparation.request(message, credentials)
        if preparation is None or request is None:
            return None
        try:
            response = self._call(http, request, timeouts.RETRYABLE_IF_IDEMPOTENT, end)
        except errors.OutcomeUnknownError as error:
            # Only the preparation may have been executed.
            raise errors.RefusedError(f"not sent: {error}", code=error.code, status=error.status) from error
        except errors.RefusedError as error:
            if request.method == "GET" and error.status == 404:
                # The gateway is of an older version, which needs no preparation.
                return None
            raise
        return preparation.result(message, response.fields or {})

    def _call(
        self,
        http: HttpSession,
        request: GatewayRequest,
        retry_on: timeouts.ErrorTypes,
        end: float,
        *,
        needs_object: bool = True,
    ) -> RawResponse:
        def attempt() -> RawResponse:
            remaining = end - time.monotonic()
            response = http.request(request, connect_seconds=self._timeouts.connect, seconds=remaining)
            return self._checked(http, response, needs_object=needs_object)

        return self._timeouts.retrying(retry_on)(attempt)

    def _checked(self, http: HttpSession, response: RawResponse, *, needs_object: bool) -> RawResponse:
        """Return the response if the request was executed, or raise the error that it stands for."""
        name, status, fields = http.name, response.status, response.fields
        is_answer = not needs_object if fields is None else fields.get("success") is not False
        if 200 <= status < 300 and is_answer:
            return response
        code = sender_responses.error_code(fields)
        reason = self._api.refusals.get(code or "") or sender_responses.reason(fields)
        sentence = http.redact(
            reason or ("no reason given" if fields is not None else "the response is no JSON object")
        )
        sentence = sentence[: errors.MAX_MESSAGE_LENGTH]
        code = None if code is None else http.redact(code)[: errors.MAX_CODE_LENGTH]
        if status == 429 or code in self._api.rate_limit_codes:
            seconds = retry_after.parse(response.headers, time.time())
            raise errors.RateLimitedError(f"{name} limits the rate: {sentence}", code=code, retry_after=seconds)
        if 300 <= status < 400:
            raise errors.RefusedError(
                f"base_url of [{self.sender.name}] redirects; set it to the target", status=status
            )
        if 400 <= status < 500 and status != 408:
            raise errors.RefusedError(f"{name} rejected the request: {sentence}", code=code, status=status)
        raise errors.OutcomeUnknownError(f"{name} responded with status {status}: {sentence}", code=code, status=status)
