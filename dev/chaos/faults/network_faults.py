"""Injects faults of connections: cut, refused, swallowed, slow, or without the reply."""

import random

import psycopg

from dev.chaos.faults.fault import Undo, no_undo
from dev.chaos.faults.fault_proxy import FaultProxy
from dev.chaos.system_under_test import SystemUnderTest


def _random_proxy(system: SystemUnderTest, rng: random.Random) -> FaultProxy:
    return rng.choice(system.proxies)


def reset_connections(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    _random_proxy(system, rng).reset_connections()
    return 0.0, no_undo


def refuse_connections(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, rng)
    proxy.refuse_connections = True
    proxy.reset_connections()
    return rng.uniform(0.5, 3.0), proxy.heal


def blackhole(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, rng)
    proxy.blackhole = True
    return rng.uniform(0.5, 3.0), proxy.heal


def add_latency(system: SystemUnderTest, rng: random.Random) -> tuple[float, Undo]:
    proxy = _random_proxy(system, rng)
    proxy.delay_seconds = rng.uniform(0.01, 0.2)
    return rng.uniform(1.0, 3.0), proxy.heal


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
