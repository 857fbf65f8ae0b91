"""Verifies the results of a measured run. A run with a wrong result prints no figure."""

import time
from typing import cast

from dev.bench.errors import WrongResultError
from store.ledger import ledger
from store.postgres import connections

LEDGER_TIMEOUT_SECONDS = 10.0
"""The time in seconds within which the ledger must be exact. A worker reads the state of the stream once a second."""


def verify_all_stored(database_url: str, acknowledged: int, *, timeout_seconds: float = LEDGER_TIMEOUT_SECONDS) -> str:
    """Check that every acknowledged event is stored once and the ledger is exact. Return a sentence that says so.

    Raises WrongResultError.
    """
    deadline = time.monotonic() + timeout_seconds
    with connections.open(database_url, "bench") as connection:
        while True:
            read = ledger.read(connection)
            if read.stored == acknowledged == read.received and read.exact and not read.waiting:
                break
            if time.monotonic() > deadline:
                raise WrongResultError(
                    f"{acknowledged} events were acknowledged, and the ledger says {read.document()}."
                )
            time.sleep(0.1)
        row = connection.execute(
            """
            SELECT (SELECT count(*) FROM whatsapp_messages), (SELECT count(DISTINCT key_id) FROM whatsapp_messages),
                (SELECT count(*) FROM raw_events), (SELECT sum(unread) FROM chats WHERE merged_into IS NULL)
            """
        ).fetchone()
    found = tuple(int(cast("int", value)) for value in row or ())
    if set(found) != {acknowledged}:
        raise WrongResultError(
            f"{acknowledged} events were acknowledged; messages, keys, bodies and unread are {found}."
        )
    return f"{acknowledged:,} acknowledged = stored, each once, raw bodies and unread counts included; ledger exact"
