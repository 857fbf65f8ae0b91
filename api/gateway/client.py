import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self, TypeAlias
from urllib.parse import quote

from api.gateway import errors, payloads, timeouts
from api.gateway.http_client import Answer, Ask, Exchange
from api.gateway.multipart_upload import Readable, Upload
from api.gateway.phone_number import normalise_to
from api.gateway.settings import Settings, fits_a_header
from api.gateway.timeouts import Patience

MediaKind: TypeAlias = Literal["image", "document", "video"]
EVENTS = ("message.received", "message.sent", "status.change")
"""What the guide subscribes to; SAK sends only the first today."""


class Client:
    """SAK's calls. Every one raises the errors of `api.gateway.errors`; one client serves many threads.

    A call is repeated only where that is harmless: reads, registrations and changes always, everything else only if
    it was certainly not done.
    """

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        self._settings = settings
        self._patience = patience or Patience()
        self._exchange = Exchange(settings)

    @property
    def session_id(self) -> str | None:
        """The session that is meant where a call names none."""
        return self._settings.session_id

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def register(
        self, url: str, events: Sequence[str] = EVENTS, session_id: str | None = None
    ) -> payloads.Registration:
        """Asks for webhooks at `url`. A second time is harmless: the same webhook with the same secret."""
        body = {"sessionId": self._session(session_id), "url": url, "events": list(events)}
        answer = self._repeatable(Ask("POST", "/webhooks", self._token(), json=body))
        return payloads.registration(answer.data, url=url, new=answer.status == 201)

    def webhooks(self, session_id: str | None = None) -> list[payloads.Webhook]:
        """Of one session; without one, of all that the token may see."""
        query = {"sessionId": session_id} if session_id else None
        return payloads.webhooks(self._repeatable(Ask("GET", "/webhooks", self._token(), query=query)).data)

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        active: bool | None = None,
    ) -> None:
        told = {"url": url, "events": None if events is None else list(events), "isActive": active}
        body = {key: value for key, value in told.items() if value is not None}
        self._repeatable(Ask("PUT", f"/webhooks/{quote(webhook_id, safe='')}", self._token(), json=body))

    def remove(self, webhook_id: str) -> None:
        self._once(Ask("DELETE", f"/webhooks/{quote(webhook_id, safe='')}", self._token()))

    def test(
        self, webhook_id: str | None = None, url: str | None = None, message: str | None = None
    ) -> list[payloads.Ping]:
        """Has SAK post a ping to the active webhooks that are meant (all, if none is named)."""
        told = {"webhookId": webhook_id, "url": url, "message": message}
        body = {key: value for key, value in told.items() if value is not None}
        return payloads.pings(self._once(Ask("POST", "/webhooks/test", self._key(None), json=body)).data)

    def send(self, to: str, text: str, session_id: str | None = None) -> payloads.Sent:
        """Sends a text; raises InvalidRecipientError before anything is asked.

        UnknownError means that it may have gone out: do not send again by machine. A session's own key always sends
        from its session, whatever `session_id` says; only an owner's key can choose.
        """
        body = {"to": normalise_to(to), "text": text}
        ask = Ask("POST", "/messages/send", self._key(session_id), json=body)
        return self._sending(lambda: self._once(ask))

    def send_media(  # noqa: PLR0913 -- a file has that many properties
        self,
        kind: MediaKind,
        to: str,
        file: Readable,
        *,
        file_name: str,
        mime_type: str,
        caption: str = "",
        size: int | None = None,
        session_id: str | None = None,
    ) -> payloads.Sent:
        """Sends a file, which is read while it is sent; `size` is needed where it cannot be sought."""
        fields = {"to": normalise_to(to)} | ({"caption": caption} if caption else {})
        upload = Upload(fields, kind, file, file_name=file_name, mime_type=mime_type, size=size)
        ask = Ask(
            "POST",
            f"/messages/send-{kind}",
            self._key(session_id),
            body=upload,
            content_type=upload.content_type,
        )
        again_after = timeouts.NOT_DONE if upload.repeatable else timeouts.NOT_STARTED
        return self._sending(lambda: self._ask(ask, again_after, self._patience.total), kind)

    def history(self, limit: int = 50, offset: int = 0, session_id: str | None = None) -> list[payloads.Past]:
        """What was sent through SAK's API, the newest first."""
        ask = Ask("GET", "/messages/history", self._key(session_id), query={"limit": limit, "offset": offset})
        return payloads.history(self._repeatable(ask).data)

    def status(self, session_id: str | None = None) -> payloads.SessionState:
        """Whether the session is connected. Not repeated: asking can make SAK reconnect."""
        session = self._session(session_id)
        credentials = self._token() if self._settings.jwt else self._key(None)
        return payloads.session(self._once(Ask("GET", f"/sessions/{quote(session, safe='')}/status", credentials)).data)

    def _sending(self, call: Callable[[], Answer], kind: MediaKind | None = None) -> payloads.Sent:
        try:
            answer = call()
            sent, seconds = payloads.sent(answer.data), answer.seconds
        except errors.UnknownError as error:
            # SAK reports a failed image or video as a 500, where texts and documents have `failed`.
            if kind not in ("image", "video") or error.status != 500 or error.code != f"SEND_{kind.upper()}_FAILED":
                raise
            sent, seconds = payloads.Sent("failed", None, error.code, str(error)), error.seconds or 0.0
        if sent.status == "failed" and seconds >= self._patience.doubt:
            raise errors.UnknownError(
                "SAK calls it failed, but only because it gave up waiting: it may have gone out",
                code=sent.code,
                seconds=seconds,
            )
        return sent

    def _repeatable(self, ask: Ask) -> Answer:
        return self._ask(ask, timeouts.HARMLESS, self._patience.answer)

    def _once(self, ask: Ask) -> Answer:
        return self._ask(ask, timeouts.NOT_DONE, self._patience.total)

    def _ask(self, ask: Ask, again_after: tuple[type[errors.SakError], ...], seconds: float) -> Answer:
        end = time.monotonic() + self._patience.total

        def attempt() -> Answer:
            left = min(seconds, end - time.monotonic())
            return self._exchange.ask(ask, connect=self._patience.connect, seconds=left)

        return self._patience.attempting(again_after)(attempt)

    def _session(self, session_id: str | None) -> str:
        session = session_id or self._settings.session_id
        if session is None:
            raise errors.NotConfiguredError("SAK_SESSION_ID is not set: SAK wants to know which session is meant")
        return session

    def _token(self) -> Mapping[str, str]:
        if self._settings.jwt is None:
            raise errors.NotConfiguredError("SAK_JWT is not set: SAK wants it for webhooks and sessions")
        return {"Authorization": f"Bearer {self._settings.jwt}"}

    def _key(self, session_id: str | None) -> Mapping[str, str]:
        if self._settings.api_key is None:
            raise errors.NotConfiguredError("SAK_API_KEY is not set: SAK wants it for messages and tests")
        session = session_id or self._settings.session_id
        if session is not None and not fits_a_header(session):
            raise errors.RefusedError("this is no session's id", code="INVALID_SESSION")
        told = {"x-api-key": self._settings.api_key, "x-session-id": session}
        if self._settings.jwt is not None:
            told["Authorization"] = f"Bearer {self._settings.jwt}"
        return {name: value for name, value in told.items() if value is not None}
