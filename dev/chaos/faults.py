"""The faults of a campaign: each is done to a running system, and undone after a while."""

import random
import signal
from collections.abc import Callable, Mapping
from typing import TypeAlias

import psycopg

from dev.chaos.fault_proxy import Proxy
from dev.chaos.managed_process import Program
from dev.chaos.system_under_test import System

Undo: TypeAlias = Callable[[], None]
Fault: TypeAlias = Callable[[System, random.Random], tuple[float, Undo]]
"""Does it, and says after how many seconds to call what undoes it."""


def _nothing() -> None:
    """What there is to undo where the supervisor does it."""


def _kill_ingest(system: System, _: random.Random) -> tuple[float, Undo]:
    system.ingest.kill()
    return 0.0, _nothing


def _stop_ingest(system: System, _: random.Random) -> tuple[float, Undo]:
    system.ingest.send(signal.SIGTERM)
    return 0.0, _nothing


def _worker(system: System, dice: random.Random) -> Program:
    return dice.choice(system.workers)


def _kill_worker(system: System, dice: random.Random) -> tuple[float, Undo]:
    _worker(system, dice).kill()
    return 0.0, _nothing


def _stop_worker(system: System, dice: random.Random) -> tuple[float, Undo]:
    _worker(system, dice).send(signal.SIGTERM)
    return 0.0, _nothing


def _freeze_worker(system: System, dice: random.Random) -> tuple[float, Undo]:
    """For longer than it takes others to think it dead."""
    worker = _worker(system, dice)
    worker.send(signal.SIGSTOP)
    return 7.0, lambda: worker.send(signal.SIGCONT)


def _kill_redis(system: System, dice: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    return dice.uniform(0.0, 3.0), system.valkey.start


def _kill_postgres(system: System, dice: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    return dice.uniform(0.0, 3.0), system.postgres.start


def _end_sessions(system: System, _: random.Random) -> tuple[float, Undo]:
    with psycopg.connect(system.postgres.url, autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker'")
    return 0.0, _nothing


def _proxy(system: System, dice: random.Random) -> Proxy:
    return dice.choice(system.proxies)


def _cut(system: System, dice: random.Random) -> tuple[float, Undo]:
    _proxy(system, dice).cut()
    return 0.0, _nothing


def _refuse(system: System, dice: random.Random) -> tuple[float, Undo]:
    proxy = _proxy(system, dice)
    proxy.refusing = True
    proxy.cut()
    return dice.uniform(0.5, 3.0), proxy.heal


def _swallow(system: System, dice: random.Random) -> tuple[float, Undo]:
    proxy = _proxy(system, dice)
    proxy.swallowing = True
    return dice.uniform(0.5, 3.0), proxy.heal


def _delay(system: System, dice: random.Random) -> tuple[float, Undo]:
    proxy = _proxy(system, dice)
    proxy.delay = dice.uniform(0.01, 0.2)
    return dice.uniform(1.0, 3.0), proxy.heal


def _lose_xadd(system: System, _: random.Random) -> tuple[float, Undo]:
    system.ingest_redis.drop_reply_after(b"XADD")
    return 0.0, _nothing


def _lose_xack(system: System, _: random.Random) -> tuple[float, Undo]:
    system.worker_redis.drop_reply_after(b"XACK")
    return 0.0, _nothing


def _lose_commit(system: System, _: random.Random) -> tuple[float, Undo]:
    system.worker_postgres.drop_reply_after(b"COMMIT")
    return 0.0, _nothing


FAULTS: Mapping[str, Fault] = {
    "ingest killed": _kill_ingest,
    "ingest told to stop": _stop_ingest,
    "worker killed": _kill_worker,
    "worker told to stop": _stop_worker,
    "worker frozen": _freeze_worker,
    "Redis killed": _kill_redis,
    "PostgreSQL killed": _kill_postgres,
    "sessions ended": _end_sessions,
    "connections cut": _cut,
    "connections refused": _refuse,
    "network swallows": _swallow,
    "network slow": _delay,
    "reply to XADD lost": _lose_xadd,
    "reply to XACK lost": _lose_xack,
    "reply to COMMIT lost": _lose_commit,
}
WEIGHTS: Mapping[str, int] = {"ingest killed": 3, "worker killed": 3, "Redis killed": 3, "PostgreSQL killed": 3}
"""How many times likelier than the others."""
RESETS = frozenset({"ingest killed", "ingest told to stop"})
"""Those after which a request may go unanswered, because the process that had it in hand is gone."""
