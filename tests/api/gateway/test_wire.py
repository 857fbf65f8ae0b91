"""Tests the bytes of requests, and answers that the pretend gateway never gives, with a recording server."""

import base64
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from api.gateway import errors
from api.gateway.client import SakClient
from api.gateway.media import MediaFile
from api.gateway.settings import SakSettings
from api.gateway.timeouts import Timeouts
from tests.support.processes.sending_api import FAST_TIMEOUTS
from tests.support.servers.server_thread import serving

SENT = '{"success":true,"data":{"messageId":"3EB0AA0001","status":"sent"}}'


@dataclass
class Recorder:
    """A server that answers every call with `answer` and records the requests."""

    url: str
    status: int = 200
    answer: str = SENT
    pause: float = 0.0
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    bodies: list[bytes] = field(default_factory=list[bytes])


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            recorder.headers.append({name.lower(): value for name, value in self.headers.items()})
            recorder.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            time.sleep(recorder.pause)
            content = recorder.answer.encode()
            self.send_response(recorder.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield recorder


def connect(
    recorder: Recorder, *, jwt: str | None = None, path: str = "/api/v1", limits: Timeouts = FAST_TIMEOUTS
) -> SakClient:
    return SakClient(SakSettings(recorder.url + path, jwt, "key", "11111111-2222-4333-8444-555555555555"), limits)


def token(**claims: object) -> str:
    """Return a JWT with these claims. The tests do not check its signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, claims)]
    return ".".join([base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts] + ["c2ln"])


def test_a_text_is_sent_as_utf_8(recorder: Recorder) -> None:
    r"""SAK refuses bodies over 100 kB, and `\u0939` takes twice the bytes of ह."""
    text = "ह" * 30_000
    with connect(recorder) as sak:
        sak.send_text("919811000001", text)
    (body,) = recorder.bodies

    assert json.loads(body) == {"to": "919811000001", "text": text}
    assert len(body) < 100_000
    assert recorder.headers[0]["content-type"] == "application/json"


def test_a_file_name_that_is_not_ascii_is_sent_by_rfc_5987(recorder: Recorder) -> None:
    """SAK interprets the bytes of a plain file name as Latin-1, so customers would see `à¤¦à¥`."""
    with connect(recorder) as sak:
        for name in ('बिल "1".pdf', "bill.pdf"):
            sak.send_media("919811000001", MediaFile("document", io.BytesIO(b"x"), name, "application/pdf", 1))
    unicode_name, ascii_name = recorder.bodies

    name = "बिल %221%22.pdf"
    extended = "%E0%A4%AC%E0%A4%BF%E0%A4%B2%20%221%22.pdf"
    assert f"""filename="{name}"; filename*=UTF-8''{extended}\r\n""".encode() in unicode_name
    assert b'filename="bill.pdf"\r\n' in ascii_name


def test_a_video_may_take_longer_than_a_text(recorder: Recorder) -> None:
    """SAK waits up to 45 s for a video. After a shorter timeout, the outcome of the send would be unknown."""
    recorder.pause = 0.6
    limits = Timeouts(connect=0.4, attempt=0.4, total=0.4, video_total=5.0)
    with connect(recorder, limits=limits) as sak:
        sent = sak.send_media("919811000001", MediaFile("video", io.BytesIO(b"x"), "a.mp4", "video/mp4", 1))
        with pytest.raises(errors.OutcomeUnknownError):
            sak.send_media("919811000001", MediaFile("image", io.BytesIO(b"x"), "a.png", "image/png", 1))

    assert sent.status == "sent"
    assert Timeouts().video_total > 45


def test_a_token_that_has_expired_is_named_without_a_call(recorder: Recorder) -> None:
    """SAK would only return 401. A JWT is valid for seven days."""
    expired = connect(recorder, jwt=token(exp=1_734_621_000))
    with expired, pytest.raises(errors.NotConfiguredError, match="SAK_JWT expired on 2024-12-19 at 15:10 UTC"):
        expired.list_webhooks()

    assert recorder.bodies == []


def test_a_key_sends_without_the_token_that_has_expired(recorder: Recorder) -> None:
    with connect(recorder, jwt=token(exp=1_734_621_000)) as sak:
        sak.send_text("919811000001", "hello")
    with connect(recorder, jwt=token(exp=time.time() + 3600)) as sak:
        sak.send_text("919811000001", "hello")

    assert ["authorization" in headers for headers in recorder.headers] == [False, True]


@pytest.mark.parametrize(
    "jwt",
    [
        *("pretend-jwt", "a.b.c", "a.!!!.c", token(), token(exp="soon"), token(exp=True), token(exp=1e300)),
        ".".join(["a", base64.urlsafe_b64encode(b"[]").decode(), "c"]),
    ],
)
def test_a_token_that_names_no_expiry_is_left_to_sak(recorder: Recorder, jwt: str) -> None:
    recorder.answer = '{"success":true,"data":{"webhooks":[]}}'
    with connect(recorder, jwt=jwt) as sak:
        assert sak.list_webhooks() == []


@pytest.mark.parametrize(("status", "answer"), [(200, "<!doctype html>"), (404, "<pre>Cannot GET /webhooks</pre>")])
@pytest.mark.parametrize("path", ["", "/api", "/api/v2"])
def test_a_base_url_without_the_api_is_named(recorder: Recorder, status: int, answer: str, path: str) -> None:
    """If its web page is built, SAK answers an unknown GET with 200 and HTML."""
    recorder.status, recorder.answer = status, answer
    with connect(recorder, jwt="token", path=path) as sak:
        with pytest.raises(errors.RefusedError, match="SAK_BASE_URL does not end in /api/v1"):
            sak.list_webhooks()
        with pytest.raises(errors.RefusedError, match="SAK_BASE_URL does not end in /api/v1"):
            sak.session_status()

    assert len(recorder.bodies) == 2


@pytest.mark.parametrize(
    "secret",
    [
        "a\nAPI_TOKEN=theirs",
        "a\r\nb",
        "a b",
        "a,b",
        "a\u2028b",
        "'a'",
        "a#b",
        "$(id)",
        "a" * 513,
        "é",
        "\x1b[2J",
        "",
        7,
    ],
)
def test_a_secret_with_spaces_or_control_characters_is_refused(recorder: Recorder, secret: object) -> None:
    """The secret is written to `.env`, where a line break in it would set another variable."""
    recorder.answer = json.dumps({"success": True, "data": {"webhookId": "w", "secret": secret, "events": ["e"]}})
    with (
        connect(recorder, jwt="token") as sak,
        pytest.raises(errors.OutcomeUnknownError, match="no secret that is one word"),
    ):
        sak.register_webhook("https://shop.example/whatsapp-webhook")


def test_texts_of_sak_cannot_control_a_terminal(recorder: Recorder) -> None:
    webhook = {"id": "w\x1b[2J", "url": "https://a.example\n\u2028b"}
    recorder.answer = json.dumps({"success": True, "data": {"webhooks": [webhook]}})
    with connect(recorder, jwt="token") as sak:
        (found,) = sak.list_webhooks()

    assert (found.webhook_id, found.url) == ("w [2J", "https://a.example  b")
