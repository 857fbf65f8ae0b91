"""Calls SAK: registers webhooks, sends messages, lists sent messages, and queries the state of a session."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self
from urllib.parse import quote

from api.gateway import errors, json_web_token, payloads, sak_responses, timeouts
from api.gateway.http_session import GatewayRequest, HttpSession
from api.gateway.media import MediaFile, MediaKind
from api.gateway.multipart_upload import MultipartUpload
from api.gateway.sak_responses import SakResponse
from api.gateway.settings import SakSettings, is_header_safe
from api.gateway.timeouts import Timeouts

WEBHOOK_EVENTS = ("message.received", "message.sent", "status.change")
"""The events in SAK's guide. At present SAK sends only the first."""


class SakClient:
    """A client of SAK's API, which many threads may share. Its calls raise the errors of `api.gateway.errors`.

    Reads, registrations and updates are retried after any transient failure. Other calls are retried only if the failed
    attempt was certainly not executed.
    """

    def __init__(self, settings: SakSettings, timeouts: Timeouts | None = None) -> None:
        self._settings = settings
        self._timeouts = timeouts or Timeouts()
        secrets = [secret for secret in (settings.jwt, settings.api_key) if secret]
        self._http = HttpSession("SAK", settings.base_url, secrets)

    @property
    def session_id(self) -> str | None:
        """The session of calls that name none."""
        return self._settings.session_id

    @property
    def has_owner_token(self) -> bool:
        """True if SAK_JWT is set, which some calls require."""
        return self._settings.jwt is not None

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register_webhook(self, url: str, events: Sequence[str] = WEBHOOK_EVENTS) -> payloads.WebhookRegistration:
        """Register `url` as a webhook. Repeating the call returns the same webhook with the same secret."""
        body = {"sessionId": self._require_session(None), "url": url, "events": list(events)}
        response = self._call_repeatable(GatewayRequest("POST", "/webhooks", self._owner_headers(), json=body))
        return payloads.parse_registration(response.data, url=url, new=response.status == 201)

    def list_webhooks(self, session_id: str | None = None) -> list[payloads.Webhook]:
        """Return the webhooks of one session, or all that the token may see."""
        query = {"sessionId": session_id} if session_id else None
        request = GatewayRequest("GET", "/webhooks", self._owner_headers(), query=query)
        return payloads.parse_webhooks(self._call_repeatable(request).data)

    def update_webhook(self, webhook_id: str, url: str) -> None:
        path = f"/webhooks/{quote(webhook_id, safe='')}"
        self._call_repeatable(GatewayRequest("PUT", path, self._owner_headers(), json={"url": url}))

    def delete_webhook(self, webhook_id: str) -> None:
        self._call_unrepeatable(
            GatewayRequest("DELETE", f"/webhooks/{quote(webhook_id, safe='')}", self._owner_headers())
        )

    def test_webhooks(self, webhook_id: str | None = None, url: str | None = None) -> list[payloads.PingResult]:
        """Make SAK post a ping to the selected active webhooks, or to all."""
        fields = {"webhookId": webhook_id, "url": url}
        body = {name: value for name, value in fields.items() if value is not None}
        request = GatewayRequest("POST", "/webhooks/test", self._message_headers(None), json=body)
        return payloads.parse_ping_results(self._call_unrepeatable(request).data)

    def send_text(self, to: str, text: str, session_id: str | None = None) -> payloads.SendResponse:
        """Send a text to the digits `to`, which SAK must dial unchanged (store/model/addresses.py).

        After OutcomeUnknownError the text may have been sent, so it must not be repeated automatically. The key of a
        session always sends from that session, whatever `session_id` is; only an owner's key can choose.
        """
        body = {"to": to, "text": text}
        request = GatewayRequest("POST", "/messages/send", self._message_headers(session_id), json=body)
        return self._send(lambda: self._call_unrepeatable(request))

    def send_media(
        self, to: str, file: MediaFile, caption: str = "", session_id: str | None = None
    ) -> payloads.SendResponse:
        """Send a file from the current position of its stream. Each attempt reads it again."""
        upload = MultipartUpload({"to": to} | ({"caption": caption} if caption else {}), file.kind, file)
        headers, media_type = self._message_headers(session_id), upload.content_type
        request = GatewayRequest("POST", f"/messages/send-{file.kind}", headers, body=upload, content_type=media_type)
        limits = self._timeouts
        if file.kind == "video":
            limits = dataclasses.replace(limits, total=limits.video_total)
        return self._send(
            lambda: self._call(request, timeouts.RETRYABLE_IF_NOT_EXECUTED, limits, limits.total), file.kind
        )

    def list_sent_messages(
        self, limit: int, offset: int, session_id: str | None = None
    ) -> list[payloads.SentListEntry]:
        """Return the messages sent through SAK's API, newest first."""
        query = {"limit": limit, "offset": offset}
        request = GatewayRequest("GET", "/messages/history", self._message_headers(session_id), query=query)
        return payloads.parse_sent_messages(self._call_repeatable(request).data)

    def session_status(self, session_id: str | None = None) -> payloads.SessionStatus:
        """Return the state of the session. Not retried after a timeout, because the call can make SAK reconnect."""
        session = self._require_session(session_id)
        credentials = self._owner_headers() if self._settings.jwt else self._message_headers(None)
        request = GatewayRequest("GET", f"/sessions/{quote(session, safe='')}/status", credentials)
        return payloads.parse_session_status(self._call_unrepeatable(request).data)

    def list_sessions(self) -> list[payloads.SessionSettings]:
        """Return the sessions of the account with their settings."""
        return payloads.parse_sessions(
            self._call_repeatable(GatewayRequest("GET", "/sessions", self._owner_headers())).data
        )

    def _send(self, call: Callable[[], SakResponse], kind: MediaKind | None = None) -> payloads.SendResponse:
        try:
            response = call()
            result, seconds = payloads.parse_send_response(response.data), response.elapsed_seconds
        except errors.OutcomeUnknownError as error:
            # SAK reports a failed image or video with status 500, but texts and documents with `failed`.
            if kind not in ("image", "video") or error.status != 500 or error.code != f"SEND_{kind.upper()}_FAILED":
                raise
            result = payloads.SendResponse("failed", None, reason=error.gateway_message)
            seconds = error.elapsed_seconds or 0.0
        if result.status == "failed" and seconds >= self._timeouts.ambiguous_failure:
            sentence = "SAK reports it as failed, but after a time-out: it may have been sent"
            raise errors.OutcomeUnknownError(sentence, elapsed_seconds=seconds)
        return result

    def _call_repeatable(self, request: GatewayRequest) -> SakResponse:
        return self._call(request, timeouts.RETRYABLE_IF_IDEMPOTENT, self._timeouts, self._timeouts.attempt)

    def _call_unrepeatable(self, request: GatewayRequest) -> SakResponse:
        return self._call(request, timeouts.RETRYABLE_IF_NOT_EXECUTED, self._timeouts, self._timeouts.total)

    def _call(
        self, request: GatewayRequest, retry_on: timeouts.ErrorTypes, limits: Timeouts, seconds: float
    ) -> SakResponse:
        """Call SAK. Each attempt takes at most `seconds`."""
        end = time.monotonic() + limits.total

        def attempt() -> SakResponse:
            remaining = min(seconds, end - time.monotonic())
            response = self._http.request(request, connect_seconds=limits.connect, seconds=remaining)
            return sak_responses.parse(self._http, request.method, response)

        return limits.retrying(retry_on)(attempt)

    def _require_session(self, session_id: str | None) -> str:
        session = session_id or self._settings.session_id
        if session is None:
            raise errors.NotConfiguredError("SAK_SESSION_ID is not set: this call needs a session")
        return session

    def _owner_headers(self) -> Mapping[str, str]:
        if self._settings.jwt is None:
            raise errors.NotConfiguredError("SAK_JWT is not set: SAK requires it for webhooks and sessions")
        if json_web_token.is_expired(self._settings.jwt):
            at = datetime.fromtimestamp(json_web_token.expiry(self._settings.jwt) or 0, UTC)
            sentence = f"SAK_JWT expired on {at:%Y-%m-%d at %H:%M} UTC: sign in to SAK again and set the new token"
            raise errors.NotConfiguredError(sentence, code="jwt_expired")
        return {"Authorization": f"Bearer {self._settings.jwt}"}

    def _message_headers(self, session_id: str | None) -> Mapping[str, str]:
        if self._settings.api_key is None:
            raise errors.NotConfiguredError("SAK_API_KEY is not set: SAK requires it for messages and tests")
        session = session_id or self._settings.session_id
        if session is not None and not is_header_safe(session):
            raise errors.RefusedError("the session id is no valid HTTP header", code="INVALID_SESSION")
        headers = {"x-api-key": self._settings.api_key, "x-session-id": session}
        if self._settings.jwt is not None and not json_web_token.is_expired(self._settings.jwt):
            # The key suffices, and an expired token could only make SAK refuse it.
            headers["Authorization"] = f"Bearer {self._settings.jwt}"
        return {name: value for name, value in headers.items() if value is not None}
