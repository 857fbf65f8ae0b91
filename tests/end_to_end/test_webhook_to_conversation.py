"""Tests the path from a webhook to a conversation through every process, as started by `./run`."""

import json
import os
import random
import signal
import statistics
import time
from pathlib import Path

import pytest

from tests.support.processes import preloaded_python
from tests.support.processes.running_system import RunningSystem, message_webhook, signed_headers
from tests.support.waiting import wait_until

WIRE = [json.loads(line) for line in Path("tests/payloads/sak-wire.jsonl").read_text().splitlines()]


def ledger(system: RunningSystem) -> dict[str, int]:
    environment = {**os.environ, "DATA_DIR": str(system.stack.data_dir), "DATABASE_URL": ""}
    return json.loads(preloaded_python.run("store", "ledger", "--json", environment=environment).stdout)


def test_captured_webhooks_twice_and_shuffled_give_each_chat_and_message_once(new_system: RunningSystem) -> None:
    """The requests were captured from the real gateway, including headers and signatures."""
    deliveries = WIRE * 2
    random.Random(18).shuffle(deliveries)

    statuses = {new_system.post_webhook(delivery["body"].encode(), delivery["headers"]) for delivery in deliveries}

    assert statuses == {200}
    wait_until(lambda: ledger(new_system)["waiting"] == 0 and ledger(new_system)["received"] >= len(deliveries))
    chats = new_system.chats_by_address()
    assert set(chats) == {
        *(f"91981100000{last}" for last in range(1, 6)),
        "120363041234567890@g.us",
        "120363999999@newsletter",
        "status@broadcast",
    }
    ids = [m["message_id"] for a in chats for m in new_system.get_data(f"/api/chats/{a}?limit=500")["messages"]]
    assert len(ids) == len(set(ids))


def test_a_lid_whose_phone_is_known_is_in_the_phones_chat(new_system: RunningSystem) -> None:
    """One person writes from two addresses. Two half conversations would be read as two people."""
    for delivery in WIRE:
        new_system.post_webhook(delivery["body"].encode(), delivery["headers"])

    both = ["from a private identity", "same person, phone now known"]

    wait_until(lambda: new_system.message_texts("919811000003") == both)
    assert "200000000000011@lid" not in new_system.chats_by_address()


def test_noise_ping_and_unknown_are_counted_and_not_shown(new_system: RunningSystem) -> None:
    """A page full of protocol noise is as useless as one that lacks messages."""
    unknown = b'{"event":"moon.landed","sessionId":"11111111-2222-4333-8444-555555555555","timestamp":1734621000}'
    for delivery in WIRE:
        new_system.post_webhook(delivery["body"].encode(), delivery["headers"])
    assert new_system.post_webhook(unknown, signed_headers(unknown)) == 200

    wait_until(lambda: ledger(new_system)["waiting"] == 0 and ledger(new_system)["parked"] == 1)

    counted = ledger(new_system)
    assert (counted["ping"], counted["noise"]) == (1, 2)
    sums = ("stored", "duplicate", "noise", "ping", "parked", "forgotten", "waiting")
    assert counted["received"] == sum(counted[name] for name in sums)


@pytest.mark.long
def test_a_worker_killed_in_the_middle_of_two_thousand_events_costs_none_of_them(new_system: RunningSystem) -> None:
    """Deployments and the kernel use kill -9, too."""
    phones = [f"9198110010{chat:02d}" for chat in range(20)]
    bodies = [message_webhook(phones[n % 20], n, f"text {n}") for n in range(2000)]
    new_system.send_webhooks(bodies[:1000])

    os.kill(new_system.stack.pid_of("worker"), signal.SIGKILL)
    new_system.send_webhooks(bodies[1000:])

    def stored() -> int:
        return sum(len(new_system.message_texts(phone)) for phone in phones)

    wait_until(lambda: stored() >= 2000, 20)
    texts = [text for phone in phones for text in new_system.message_texts(phone)]
    assert sorted(texts, key=str) == sorted((f"text {n}" for n in range(2000)), key=str)


@pytest.mark.long
def test_the_time_from_webhook_to_conversation_is_measured_and_printed(new_system: RunningSystem) -> None:
    """The figures help to compare changes. There is no assertion on time, because machines differ."""
    many = [message_webhook("919811002000", n, f"many {n}") for n in range(1500)]
    started = time.perf_counter()
    acknowledged = new_system.send_webhooks(many)
    wait_until(lambda: ledger(new_system)["waiting"] == 0)
    stored = time.perf_counter() - started
    fresh: list[float] = []
    for n in range(20):
        body = message_webhook("919811002001", n, f"fresh {n}")
        new_system.post_webhook(body, signed_headers(body))
        at = time.perf_counter()
        while len(new_system.message_texts("919811002001")) <= n:
            time.sleep(0.001)
        fresh.append((time.perf_counter() - at) * 1000)

    print(
        f"\nflow: {len(many) / acknowledged:,.0f} acknowledged/s (a Python client is the limit),"
        f" {len(many) / stored:,.0f} stored/s, {statistics.median(fresh):.1f} ms from acknowledgement to readable"
    )
    assert len(new_system.message_texts("919811002001")) == 20
