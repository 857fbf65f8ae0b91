import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice, pairwise
from typing import Any

import pytest
import requests

from dev.checkout import ROOT
from dev.demo import chat_generator, personas
from dev.demo.__main__ import main
from dev.gateway.account import GatewayAccount

SECRET = "5a4b0c0ffee00000000000000000000000000000000000000000000000000002"
WIRE = ROOT / "tests" / "payloads" / "sak-wire.jsonl"
MIDNIGHT = 1795305600


def texts(events: list[chat_generator.WebhookEvent]) -> str:
    return " ".join(event["text"] for event in events)


def past(seed: str = "seed") -> list[chat_generator.WebhookEvent]:
    return chat_generator.ChatGenerator(seed, "session").past_events(MIDNIGHT)


def live(turns: int = 400) -> list[chat_generator.TimedEvent]:
    return list(islice(chat_generator.ChatGenerator("seed", "session").live_events(count(MIDNIGHT, 2)), turns))


def test_the_same_seed_talks_the_same() -> None:
    """A second start on the same day repeats the past as a reconnect does, so the bytes must be identical."""
    assert past() == past()
    assert past() != past("other")
    assert live() == live()


def test_the_past_fills_a_page_with_all_that_makes_chats_hard() -> None:
    """The demo shows several scripts and kinds of messages and chats."""
    events = past()
    seen = Counter(json.dumps(event) for event in events)
    times = [event["timestamp"] for event in events]

    assert len(events) >= 40
    assert max(seen.values()) > 1
    assert times != sorted(times)
    assert re.search("[\u0900-\u097f]", texts(events))
    assert re.search("[\u0600-\u06ff]", texts(events))
    assert re.search("[\U0001f300-\U0001faff]", texts(events))
    assert {personas.GROUP_JID, personas.PRIVATE_LID} <= {event["from"] for event in events}
    assert any(event.get("type", "").endswith("Message") and not event["text"] for event in events)
    assert all(time < MIDNIGHT for time in times)


def test_an_undecryptable_message_comes_again_with_its_content() -> None:
    """The resend has the same id, and may even arrive first."""
    events = past()
    empty = [event for event in events if "type" not in event]
    resent = [event for event in events if event["messageId"] == empty[0]["messageId"] and event["text"]]

    assert len(empty) == 1
    assert len(resent) == 1


def test_people_write_at_a_human_pace_and_their_gateway_is_not_tidy() -> None:
    """The events include duplicates, noise and late messages, which the pipeline must handle."""
    turns = live()
    seen = Counter(json.dumps(turn.event) for turn in turns)
    steps = [later.event["timestamp"] - turn.event["timestamp"] for turn, later in pairwise(turns)]

    assert all(0.1 <= turn.delay_seconds <= 3.0 for turn in turns)
    assert max(seen.values()) > 1
    assert min(steps) < 0
    assert {turn.event.get("type") for turn in turns} & set(chat_generator.NOISE_TYPES)
    assert any("type" not in turn.event for turn in turns)


def test_the_private_identity_shows_its_phone_once_and_for_all() -> None:
    """From then on, the two chats are one."""
    senders = [
        turn.event["from"]
        for turn in live()
        if personas.PRIVATE_LID in (turn.event["from"], turn.event.get("from_lid"))
    ]
    known = senders.index(f"{personas.LID_PHONE}@s.whatsapp.net")

    # An earlier line may be repeated immediately afterwards.
    assert personas.PRIVATE_LID in senders[:known]
    assert personas.PRIVATE_LID not in senders[known + 8 :]


def test_every_event_has_the_form_of_those_that_were_captured() -> None:
    """Otherwise, the demo would show events that the real gateway never sends."""
    captured = [json.loads(json.loads(line)["body"]) for line in WIRE.read_text(encoding="utf-8").splitlines()]
    forms = {(_server(event), tuple(key for key in event if key != "pushName")) for event in captured}
    events = [*past(), *(turn.event for turn in live())]

    assert {(_server(event), tuple(key for key in event if key != "pushName")) for event in events} <= forms


def _server(event: dict[str, Any]) -> str:
    return event.get("from", "").partition("@")[2]


def test_only_made_up_numbers_occur() -> None:
    """Samples are copied, and messages to real numbers would be delivered."""
    numbers = re.findall(r"\b\d{12,13}\b", json.dumps([*past(), *(turn.event for turn in live())]))

    assert numbers
    assert all(number.startswith("9198") for number in numbers)


@pytest.mark.parametrize(
    ("environ", "named"),
    [({}, "WEBHOOK_SECRETS"), ({"WEBHOOK_SECRETS": SECRET, "GATEWAY_PORT": "x"}, "GATEWAY_PORT")],
)
def test_a_missing_setting_of_the_demo_is_named(
    environ: dict[str, str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is a sentence instead of a traceback."""
    assert main(environ) == 2
    assert named in capsys.readouterr().err


class Ingest:
    """A minimal receiver for the demo, created on first use."""

    def __init__(self) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def events(self) -> Iterator[dict[str, Any]]:
        """Receive webhooks one by one, check their signatures, and answer them."""
        self.listener.listen()
        self.listener.settimeout(30)
        while True:
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rwb") as stream:
                headers: dict[str, str] = {}
                stream.readline()
                while line := stream.readline().strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers["content-length"]))
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            assert headers["x-webhook-signature"] == f"sha256={expected}"
            yield json.loads(body)


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    made = Ingest()
    yield made
    made.listener.close()


def test_the_demo_waits_for_ingest_talks_answers_and_stops_at_once(ingest: Ingest) -> None:
    """Run the whole `python -m dev.demo`, as `./run --demo` starts and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    environ = os.environ | {
        "INGEST_URL": f"http://127.0.0.1:{ingest.port}/whatsapp-webhook",
        "WEBHOOK_SECRETS": f"{SECRET},another",
        "GATEWAY_PORT": str(port),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "dev.demo"], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert f":{port}/api/v1" in process.stdout.readline()
            events = ingest.events()
            burst = list(islice(events, chat_generator.HISTORY_EVENTS))
            base_url = f"http://127.0.0.1:{port}/api/v1"
            account = GatewayAccount()
            listed = requests.get(
                f"{base_url}/webhooks", headers={"Authorization": f"Bearer {account.jwt}"}, timeout=10
            ).json()
            sent = requests.post(
                f"{base_url}/messages/send",
                headers={"x-api-key": account.api_key},
                json={"to": "9899999999", "text": "hello"},
                timeout=10,
            ).json()
            following = (
                event for event in events if "9198" in json.dumps(event) and "919899999999" in json.dumps(event)
            )
            reported, delivered, read, reply = islice(following, 4)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=5)

    assert code == 0
    assert {event["event"] for event in burst} == {"message.received"}
    assert listed["data"]["webhooks"][0]["url"] == environ["INGEST_URL"]
    assert reported["data"]["message"]["id"] == sent["data"]["messageId"]
    assert [ack["data"]["status"] for ack in (delivered, read)] == ["delivered", "read"]
    assert (reply["event"], reply["from"]) == ("message.received", "919899999999@s.whatsapp.net")
    assert reply["text"] in personas.REPLIES
