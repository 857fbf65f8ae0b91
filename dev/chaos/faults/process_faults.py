"""Injects faults of processes and servers: killed, stopped, frozen, or replaced by their replicas."""

import contextlib
import os
import random
import signal
from collections.abc import Iterable

from dev.chaos.faults.fault import Undo, no_undo
from dev.chaos.system_under_test import SystemUnderTest
from dev.embedded.managed_process import ManagedProcess
from dev.embedded.server import EmbeddedServer


def kill_ingest(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest.kill()
    return 0.0, no_undo


def stop_ingest(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest.send_signal(signal.SIGTERM)
    return 0.0, no_undo


def _random_worker(system: SystemUnderTest, rng: random.Random) -> ManagedProcess:
    return rng.choice(system.workers)


def kill_worker(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    _random_worker(system, rng).kill()
    return 0.0, no_undo


def stop_worker(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    _random_worker(system, rng).send_signal(signal.SIGTERM)
    return 0.0, no_undo


def freeze_worker(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    """Freeze a worker for longer than the others need to consider it dead."""
    worker = _random_worker(system, rng)
    worker.send_signal(signal.SIGSTOP)
    return 7.0, lambda: worker.send_signal(signal.SIGCONT)


def freeze_ingest(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    system.ingest.send_signal(signal.SIGSTOP)
    return rng.uniform(1.0, 4.0), lambda: system.ingest.send_signal(signal.SIGCONT)


def kill_redis(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    return rng.uniform(0.0, 3.0), system.start_servers


def kill_postgres(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    return rng.uniform(0.0, 3.0), system.start_servers


def _freeze(server: EmbeddedServer, seconds: float) -> tuple[float, Undo]:
    pids = server.process_ids()
    _signal_all(pids, signal.SIGSTOP)
    return seconds, lambda: _signal_all(pids, signal.SIGCONT)


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze_redis(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    return _freeze(system.valkey, rng.uniform(1.0, 6.0))


def freeze_postgres(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    return _freeze(system.postgres, rng.uniform(1.0, 6.0))


def kill_ingest_and_redis(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    system.valkey.kill()
    system.ingest.kill()
    return rng.uniform(0.0, 1.0), system.start_servers


def kill_worker_and_postgres(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    system.postgres.kill()
    _random_worker(system, rng).kill()
    return rng.uniform(0.0, 1.0), system.start_servers


def kill_everything(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    for part in (system.valkey, system.postgres, *system.processes):
        part.kill()
    return 0.0, system.start_servers


def promote_postgres(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    """Cut off the standby for a while, then promote it."""
    system.postgres_link.blackhole = True
    return 5.0, system.promote_postgres


def promote_redis(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    """Cut off the replica for a while, then promote it."""
    system.redis_link.blackhole = True
    return 2.0, system.promote_redis
