"""The faults of a campaign: each is injected into a running system and undone after a while."""

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import psycopg

from dev.chaos.disk_shim import DiskShim
from dev.chaos.disk_shim import Faults as DiskFaults
from dev.chaos.fault_proxy import FaultProxy
from dev.chaos.system_under_test import SystemUnderTest
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.server import EmbeddedServer

Undo: TypeAlias = Callable[[], None]
Fault: TypeAlias = Callable[[SystemUnderTest, random.Random], tuple[float, Undo]]
"""Injects the fault; returns the seconds until its undo, and the undo. The system may have changed until then."""


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


def _freeze_ingest(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.ingest.send_signal(signal.SIGSTOP)
    return dice.uniform(1.0, 4.0), lambda: system.ingest.send_signal(signal.SIGCONT)


def _kill_redis(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    return dice.uniform(0.0, 3.0), system.start_servers


def _kill_postgres(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    return dice.uniform(0.0, 3.0), system.start_servers


def _freeze(server: EmbeddedServer, seconds: float) -> tuple[float, Undo]:
    pids = server.process_ids()
    _signal_all(pids, signal.SIGSTOP)
    return seconds, lambda: _signal_all(pids, signal.SIGCONT)


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _freeze_redis(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    return _freeze(system.valkey, dice.uniform(1.0, 6.0))


def _freeze_postgres(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    return _freeze(system.postgres, dice.uniform(1.0, 6.0))


def _kill_ingest_and_redis(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    system.ingest.kill()
    return dice.uniform(0.0, 1.0), system.start_servers


def _kill_worker_and_postgres(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    _random_worker(system, dice).kill()
    return dice.uniform(0.0, 1.0), system.start_servers


def _kill_everything(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    for part in (system.valkey, system.postgres, *system.processes):
        part.kill()
    return 0.0, system.start_servers


def _promote_postgres(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    """The standby receives nothing for a while, and then has to take over."""
    system.postgres_link.blackhole = True
    return 5.0, system.promote_postgres


def _promote_redis(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    """The replica receives nothing for a while, and then has to take over."""
    system.redis_link.blackhole = True
    return 2.0, system.promote_redis


def _kill_redis_on_slow_disk(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    """With appendfsync everysec, a write to the file waits for the sync of an earlier one, and the reply does not."""
    disk = system.redis_disk
    assert disk is not None
    disk.set(DiskFaults(sync_seconds=dice.uniform(1.0, 3.0)))

    def kill_and_start() -> None:
        system.valkey.kill()
        disk.set()
        system.start_servers()

    return dice.uniform(2.0, 5.0), kill_and_start


def _fill_redis_disk(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.redis_disk, DiskFaults(is_full=True), dice.uniform(1.0, 4.0))


def _fill_spool_disk(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.ingest_disk, DiskFaults(is_full=True), dice.uniform(1.0, 4.0))


def _fail_syncs_of_spool(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.ingest_disk, DiskFaults(sync_error_rate=0.5), dice.uniform(1.0, 4.0))


def _slow_spool_without_redis(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    """Each batch waits for a slow disk while Redis refuses ingest's connections."""
    system.ingest_redis.refuse_connections = True
    system.ingest_redis.reset_connections()
    seconds, heal_disk = _harm_disk(system.ingest_disk, DiskFaults(sync_seconds=0.8), dice.uniform(2.0, 6.0))

    def heal() -> None:
        system.ingest_redis.heal()
        heal_disk()

    return seconds, heal


def _set_clock_wrong(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    hours = dice.choice([-26, -1, 1, 26])
    return _harm_disk(system.ingest_disk, DiskFaults(clock_offset_seconds=hours * 3600), dice.uniform(1.0, 4.0))


def _harm_disk(disk: DiskShim | None, harm: DiskFaults, seconds: float) -> tuple[float, Undo]:
    assert disk is not None
    disk.set(harm)
    return seconds, disk.set


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


POSTGRES_FROZEN = "PostgreSQL frozen"
FAULTS: Mapping[str, Fault] = {
    "ingest killed": _kill_ingest,
    "ingest terminated": _stop_ingest,
    "ingest frozen": _freeze_ingest,
    "worker killed": _kill_worker,
    "worker terminated": _stop_worker,
    "worker frozen": _freeze_worker,
    "Redis killed": _kill_redis,
    "Redis frozen": _freeze_redis,
    "PostgreSQL killed": _kill_postgres,
    POSTGRES_FROZEN: _freeze_postgres,
    "ingest and Redis killed": _kill_ingest_and_redis,
    "worker and PostgreSQL killed": _kill_worker_and_postgres,
    "everything killed": _kill_everything,
    "sessions ended": _terminate_backends,
    "connections cut": _reset_connections,
    "connections refused": _refuse_connections,
    "network blackholed": _blackhole,
    "network slow": _add_latency,
    "reply to XADD lost": _drop_xadd_reply,
    "reply to XACK lost": _drop_xack_reply,
    "reply to COMMIT lost": _drop_commit_reply,
}
FAILOVERS: Mapping[str, Fault] = {
    "PostgreSQL promoted, 5 s old": _promote_postgres,
    "Redis promoted, 2 s old": _promote_redis,
}
"""Faults after which a server is another one. A failover in the middle of another fault would lose more than its lag."""
DISK_FAULTS: Mapping[str, Fault] = {
    "Redis killed on slow disk": _kill_redis_on_slow_disk,
    "Redis' disk full": _fill_redis_disk,
    "spool's disk full": _fill_spool_disk,
    "spool's disk failing": _fail_syncs_of_spool,
    "spool's disk slow, no Redis": _slow_spool_without_redis,
    "clock of ingest wrong": _set_clock_wrong,
}
"""Faults that need a C compiler (dev/chaos/disk_shim.py)."""
ALONE = frozenset({*FAILOVERS, "spool's disk full", "spool's disk failing"})
"""Faults during which nothing else happens, because they leave one place where an event can be."""
ALL_FAULTS = {**FAULTS, **FAILOVERS, **DISK_FAULTS}
WEIGHTS: Mapping[str, int] = {
    "ingest killed": 3,
    "worker killed": 3,
    "Redis killed": 3,
    "PostgreSQL killed": 3,
    "Redis killed on slow disk": 3,
    **dict.fromkeys(FAILOVERS, 3),
}
"""How many times more likely than the others."""
