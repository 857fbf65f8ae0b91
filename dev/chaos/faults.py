"""The faults of a campaign: each is injected into a running system and undone after a while."""

import random
import signal
from collections.abc import Callable, Mapping
from typing import TypeAlias

import psycopg

from dev.chaos.fault_proxy import FaultProxy
from dev.chaos.system_under_test import SystemUnderTest
from dev.embedded.managed_process import ManagedProcess

Undo: TypeAlias = Callable[[], None]
Fault: TypeAlias = Callable[[SystemUnderTest, random.Random], tuple[float, Undo]]
"""Injects the fault; returns the seconds until its undo, and the undo."""


def _no_undo() -> None:
    """Nothing: the supervisor restarts the process."""


def _kill_ingest(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest.kill()
    return 0.0, _no_undo


def _stop_ingest(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest.send_signal(signal.SIGTERM)
    return 0.0, _no_undo


def _random_worker(system: SystemUnderTest, rng: random.Random) -> ManagedProcess:
    return rng.choice(system.workers)


def _kill_worker(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    _random_worker(system, dice).kill()
    return 0.0, _no_undo


def _stop_worker(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    _random_worker(system, dice).send_signal(signal.SIGTERM)
    return 0.0, _no_undo


def _freeze_worker(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    """Longer than the others need to consider it dead."""
    worker = _random_worker(system, dice)
    worker.send_signal(signal.SIGSTOP)
    return 7.0, lambda: worker.send_signal(signal.SIGCONT)


def _kill_redis(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    return dice.uniform(0.0, 3.0), system.valkey.start


def _kill_postgres(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    return dice.uniform(0.0, 3.0), system.postgres.start


def _terminate_backends(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    with psycopg.connect(system.postgres.url, autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker'")
    return 0.0, _no_undo


def _random_proxy(system: SystemUnderTest, rng: random.Random) -> FaultProxy:
    return rng.choice(system.proxies)


def _reset_connections(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    _random_proxy(system, dice).reset_connections()
    return 0.0, _no_undo


def _refuse_connections(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.refuse_connections = True
    proxy.reset_connections()
    return dice.uniform(0.5, 3.0), proxy.heal


def _blackhole(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.blackhole = True
    return dice.uniform(0.5, 3.0), proxy.heal


def _add_latency(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.delay_seconds = dice.uniform(0.01, 0.2)
    return dice.uniform(1.0, 3.0), proxy.heal


def _drop_xadd_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest_redis.drop_reply_after(b"XADD")
    return 0.0, _no_undo


def _drop_xack_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.worker_redis.drop_reply_after(b"XACK")
    return 0.0, _no_undo


def _drop_commit_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.worker_postgres.drop_reply_after(b"COMMIT")
    return 0.0, _no_undo


FAULTS: Mapping[str, Fault] = {
    "ingest killed": _kill_ingest,
    "ingest terminated": _stop_ingest,
    "worker killed": _kill_worker,
    "worker terminated": _stop_worker,
    "worker frozen": _freeze_worker,
    "Redis killed": _kill_redis,
    "PostgreSQL killed": _kill_postgres,
    "sessions ended": _terminate_backends,
    "connections cut": _reset_connections,
    "connections refused": _refuse_connections,
    "network blackholed": _blackhole,
    "network slow": _add_latency,
    "reply to XADD lost": _drop_xadd_reply,
    "reply to XACK lost": _drop_xack_reply,
    "reply to COMMIT lost": _drop_commit_reply,
}
WEIGHTS: Mapping[str, int] = {"ingest killed": 3, "worker killed": 3, "Redis killed": 3, "PostgreSQL killed": 3}
"""How many times more likely than the others."""
