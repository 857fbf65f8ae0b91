"""Tests every kind of response of SAK to a send, over real HTTP."""

import io
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from api.gateway import errors, payloads
from api.gateway.client import SakClient
from api.gateway.media import MediaFile
from api.gateway.settings import SakSettings
from api.gateway.timeouts import Timeouts
from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway

TO = "9811000009"
QUICK = Timeouts(connect=2.0, attempt=1.0, total=5.0, pause=0.001)
HASTY = replace(QUICK, total=0.4)
"""Used if no response ever arrives."""


@dataclass(frozen=True)
class Case:
    name: str
    fault: Misbehaviour | None
    status: str
    """The status that the caller receives, or the class of the error."""
    seen: int
    """The number of requests that the gateway received."""
    reached: int
    """The number of messages that were passed on to WhatsApp."""
    code: str | None = None
    deadlines: Timeouts = QUICK


def answer(status: int, code: str = "SOME_CODE", *, times: int | None = 1, **headers: str) -> Misbehaviour:
    answer_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Misbehaviour("answer", status=status, code=code, times=times, headers=answer_headers)


CASES = [
    Case("sent", None, "sent", 1, 1),
    Case("queued", Misbehaviour("queued"), "queued", 1, 0),
    Case("failed with 200", Misbehaviour("failed"), "failed", 1, 0),
    Case("400", answer(400, "VALIDATION_ERROR"), "RefusedError", 1, 0, "VALIDATION_ERROR"),
    Case("401", answer(401, "NO_API_KEY"), "RefusedError", 1, 0, "NO_API_KEY"),
    Case("403", answer(403, "INVALID_API_KEY"), "RefusedError", 1, 0, "INVALID_API_KEY"),
    Case("404", answer(404, "SESSION_NOT_FOUND"), "RefusedError", 1, 0, "SESSION_NOT_FOUND"),
    Case("408 by a proxy", answer(408), "OutcomeUnknownError", 1, 0, "SOME_CODE"),
    Case("500", answer(500, "SEND_MESSAGE_FAILED"), "OutcomeUnknownError", 1, 0, "SEND_MESSAGE_FAILED"),
    Case("502", answer(502), "OutcomeUnknownError", 1, 0, "SOME_CODE"),
    Case("503", answer(503), "OutcomeUnknownError", 1, 0, "SOME_CODE"),
    Case("redirect", answer(302, Location="/elsewhere"), "RefusedError", 1, 0),
    Case("429 once, then sent", answer(429, Retry_After="0"), "sent", 2, 1),
    Case("429 once, by RateLimit-Reset", answer(429, RateLimit_Reset="0"), "sent", 2, 1),
    Case("429 again and again", answer(429, times=None, Retry_After="0"), "RateLimitedError", 3, 0, "SOME_CODE"),
    Case("429 for a minute", answer(429, Retry_After="60"), "RateLimitedError", 1, 0, "SOME_CODE"),
    Case(
        "429 for a minute, by RateLimit",
        answer(429, RateLimit="limit=9, reset=60"),
        "RateLimitedError",
        1,
        0,
        "SOME_CODE",
    ),
    Case("silence before it was read", Misbehaviour("hang"), "OutcomeUnknownError", 1, 0, deadlines=HASTY),
    Case("silence after it was sent", Misbehaviour("hang_after"), "OutcomeUnknownError", 1, 1, deadlines=HASTY),
    Case("reset before it was read", Misbehaviour("reset"), "OutcomeUnknownError", 1, 0),
    Case("reset after it was sent", Misbehaviour("reset_after"), "OutcomeUnknownError", 1, 1),
    Case("garbage", Misbehaviour("garbage"), "OutcomeUnknownError", 1, 1),
    Case("answer cut short", Misbehaviour("cut"), "OutcomeUnknownError", 1, 1),
    Case("slow drip", Misbehaviour("drip", seconds=0.1), "OutcomeUnknownError", 1, 1, deadlines=HASTY),
    Case("late but sent", Misbehaviour("slow", seconds=0.05), "sent", 1, 1),
    Case(
        "failed because SAK gave up waiting",
        Misbehaviour("slow", seconds=0.2, outcome="failed"),
        "OutcomeUnknownError",
        1,
        0,
        deadlines=replace(QUICK, ambiguous_failure=0.1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_response_to_a_send_leads_to_the_correct_state(
    case: Case, gateway: PretendGateway, make_client: Callable[[Timeouts], SakClient]
) -> None:
    """A wrong state here means a message that is sent twice, or one that was never sent and seems to be."""
    if case.fault is not None:
        gateway.misbehave(case.fault)

    try:
        learnt, code = make_client(case.deadlines).send_text(TO, "नमस्ते").status, None
    except errors.GatewayError as error:
        learnt, code = type(error).__name__, error.code

    assert (learnt, code) == (case.status, case.code)
    assert gateway.call_count("POST /messages/send") == case.seen
    assert len(gateway.state.delivered_messages()) == case.reached


def test_a_queued_message_has_an_id_that_whatsapp_will_never_know(gateway: PretendGateway, client: SakClient) -> None:
    """A client that used it as the message's id would wait for acknowledgements for ever."""
    gateway.state.connected = False
    queued = client.send_text(TO, "later")
    arrived = gateway.state.send_queued()

    assert queued.status == "queued"
    assert queued.message_id is not None
    assert arrived[0].message_id != queued.message_id


def test_a_refused_connection_is_certainly_not_sent(settings: SakSettings) -> None:
    """This is the only case in which a caller may send again without asking a person."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        nobody = f"http://127.0.0.1:{reserved.getsockname()[1]}/api/v1"
    with SakClient(replace(settings, base_url=nobody), QUICK) as client, pytest.raises(errors.UnreachableError):
        client.send_text(TO, "hello")


@pytest.fixture
def deaf() -> Iterator[int]:
    """Return the port of a server with a full accept queue, which never completes a new connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


def test_a_connection_that_is_never_made_is_certainly_not_sent(deaf: int, settings: SakSettings) -> None:
    """It is as certain as a refused connection that nothing was sent."""
    address = f"http://127.0.0.1:{deaf}/api/v1"
    deadlines = replace(QUICK, connect=0.1, max_attempts=1)
    with SakClient(replace(settings, base_url=address), deadlines) as client, pytest.raises(errors.UnreachableError):
        client.send_text(TO, "hello")


def test_a_server_that_reads_nothing_leaves_the_send_unknown(settings: SakSettings) -> None:
    """The kernel accepted the bytes, so it is unknown whether the process will read them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        with SakClient(replace(settings, base_url=address), HASTY) as client, pytest.raises(errors.OutcomeUnknownError):
            client.send_text(TO, "hello")


def test_a_name_that_cannot_be_resolved_for_a_moment_is_tried_again(
    gateway: PretendGateway, client: SakClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No data was sent, so a second attempt cannot send twice."""
    resolve = socket.getaddrinfo
    failures = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")]

    def stumble(*args: object, **options: object) -> object:
        if failures:
            raise failures.pop()
        return resolve(*args, **options)  # pyright: ignore[reportArgumentType, reportUnknownVariableType] -- handed on

    monkeypatch.setattr(socket, "getaddrinfo", stumble)

    assert client.send_text(TO, "hello").status == "sent"
    assert gateway.call_count("POST /messages/send") == 1


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_failed_image_or_video_is_a_500_that_means_failed(
    kind: str, gateway: PretendGateway, client: SakClient
) -> None:
    """SAK does so for these two types only. A 500 for a text does not reveal the outcome."""
    gateway.misbehave(Misbehaviour("failed"))
    media_kind = "image" if kind == "image" else "video"
    sent = client.send_media(TO, MediaFile(media_kind, io.BytesIO(b"x"), "x", "image/png", 1))

    assert (sent.status, sent.reason) == ("failed", "INVALID_PHONE_NUMBER")


def test_a_failed_document_is_a_200(gateway: PretendGateway, client: SakClient) -> None:
    """The response for a failed document is like that for a text."""
    gateway.misbehave(Misbehaviour("failed"))
    sent = client.send_media(TO, MediaFile("document", io.BytesIO(b"x"), "x.pdf", "application/pdf", 1))

    assert sent == payloads.SendResponse("failed", None)
