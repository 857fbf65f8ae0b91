"""Injects faults of connections: cut, refused, swallowed, slow, or without the reply."""

import random

import psycopg

from dev.chaos.faults.fault import Undo, no_undo
from dev.chaos.faults.fault_proxy import FaultProxy
from dev.chaos.system_under_test import SystemUnderTest


def _random_proxy(system: SystemUnderTest, rng: random.Random) -> FaultProxy:
    return rng.choice(system.proxies)


def reset_connections(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    _random_proxy(system, dice).reset_connections()
    return 0.0, no_undo


def refuse_connections(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.refuse_connections = True
    proxy.reset_connections()
    return dice.uniform(0.5, 3.0), proxy.heal


def blackhole(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.blackhole = True
    return dice.uniform(0.5, 3.0), proxy.heal


def add_latency(system: SystemUnderTest, dice: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, dice)
    proxy.delay_seconds = dice.uniform(0.01, 0.2)
    return dice.uniform(1.0, 3.0), proxy.heal


def drop_xadd_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.ingest_redis.drop_reply_after(b"XADD")
    return 0.0, no_undo


def drop_xack_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.worker_redis.drop_reply_after(b"XACK")
    return 0.0, no_undo


def drop_commit_reply(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    system.worker_postgres.drop_reply_after(b"COMMIT")
    return 0.0, no_undo


def terminate_backends(system: SystemUnderTest, _: random.Random) -> tuple[float, Undo]:
    with psycopg.connect(system.postgres.url, autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker'")
    return 0.0, no_undo
