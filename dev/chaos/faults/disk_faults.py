"""Injects faults of disks and clocks."""

import random

from dev.chaos.faults.disk_shim import DiskShim, Faults
from dev.chaos.faults.fault import Undo
from dev.chaos.system_under_test import SystemUnderTest


def kill_redis_on_slow_disk(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    """Kill Redis while its disk is slow.

    With appendfsync everysec, a write to the file waits for an earlier sync, but the reply does not.
    """
    disk = system.redis_disk
    assert disk is not None
    disk.set(Faults(sync_seconds=rng.uniform(1.0, 3.0)))

    def kill_and_start() -> None:
        system.valkey.kill()
        disk.set()
        system.start_servers()

    return rng.uniform(2.0, 5.0), kill_and_start


def fill_redis_disk(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.redis_disk, Faults(is_full=True), rng.uniform(1.0, 4.0))


def fill_spool_disk(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.ingest_disk, Faults(is_full=True), rng.uniform(1.0, 4.0))


def fail_syncs_of_spool(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    return _harm_disk(system.ingest_disk, Faults(sync_error_rate=0.5), rng.uniform(1.0, 4.0))


def slow_spool_without_redis(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    """Make the spool's disk slow while Redis refuses ingest's connections, so that each batch waits for the disk."""
    system.ingest_redis.refuse_connections = True
    system.ingest_redis.reset_connections()
    seconds, heal_disk = _harm_disk(system.ingest_disk, Faults(sync_seconds=0.8), rng.uniform(2.0, 6.0))

    def heal() -> None:
        system.ingest_redis.heal()
        heal_disk()

    return seconds, heal


def set_clock_wrong(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    hours = rng.choice([-26, -1, 1, 26])
    return _harm_disk(system.ingest_disk, Faults(clock_offset_seconds=hours * 3600), rng.uniform(1.0, 4.0))


def _harm_disk(disk: DiskShim | None, harm: Faults, seconds: float) -> tuple[float, Undo]:
    assert disk is not None
    disk.set(harm)
    return seconds, disk.set
