"""Decides whether Redis replies only after a batch is on its disk, so that ingest needs no file of its own for it."""

from collections.abc import Mapping
from typing import cast

SETTINGS = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite")
"""The settings to read with CONFIG GET."""
PROOF: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",  # with `yes`, Redis does not sync while a child process writes
    "loading": "0",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    # A file that was only just enabled counts after its first rewrite.
    "aof_rewrite_in_progress": "0",
    "aof_rewrite_scheduled": "0",
    "role": "master",
    # Now and within `repl-backlog-ttl`, Redis has no replica that could take its place and lack batches.
    "connected_slaves": "0",
    "repl_backlog_active": "0",
}
"""The facts that Redis must report: settings, and fields of INFO persistence and INFO replication."""


def is_synced_before_reply(*replies: object) -> bool:
    """Return whether the replies to CONFIG GET, INFO persistence and INFO replication contain all of PROOF.

    An error in place of a reply and an absent fact prove nothing.
    """
    facts: dict[str, object] = {}
    for reply in replies:
        if not isinstance(reply, dict):
            return False
        facts |= cast("dict[str, object]", reply)
    return all(str(facts.get(name)) == value for name, value in PROOF.items())
