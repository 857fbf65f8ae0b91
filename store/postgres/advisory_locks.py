"""Defines the advisory locks, one for each kind of work that must run only once at a time.

No other program uses these numbers.
"""

from store.postgres.connections import Connection

MIGRATION = 7_347_120_481_912_004_217
REPLAY = 7_347_120_481_912_004_218
PARTITIONS = 7_347_120_481_912_004_219
SEARCH_INDEX = 4_910_223_774_310_982_651
BACKFILL = 7_347_120_481_912_004_220
BATCH_RUNS = 3_318_804_557_190_266_473
SUPPRESSIONS = 5_520_318_846_120_947_713
"""A lock that writers share and an erasure takes exclusively. store/migrations/0009_erasure.sql has the number."""

ACCOUNTS = 8_812_460_337_195_520_541
"""A lock that writers share and the joining of an account takes exclusively. store/migrations/0031_accounts.sql has the
number.
"""


def try_acquire(connection: Connection, number: int) -> bool:
    """Take a lock until the caller's transaction ends. Return False if another transaction or connection holds it."""
    return connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [number]).fetchone() == (True,)


def try_acquire_for_connection(connection: Connection, number: int) -> bool:
    """Take a lock until the connection ends. Return False if another connection holds it."""
    return connection.execute("SELECT pg_try_advisory_lock(%s)", [number]).fetchone() == (True,)
