"""Names the parser of this version by a digest of the code that parses and folds.

A replay resumes only with the parser that started it, so every change of that code must change the name.
"""

import hashlib
from pathlib import Path

import store
from ingest.queue.contract import DEFAULT_SENDER
from store.erasure.suppressions import SuppressionCache
from store.replay.sources import EventParser
from worker import senders
from worker.drain import poison
from worker.senders import dispatch

PACKAGES = (senders, store)
"""The packages whose code decides what a replay writes: the parsers and the whole store."""


def current(suppressions: SuppressionCache) -> EventParser:
    """Return the parser of this version, for a replay or a redrive."""
    digest = hashlib.sha256()
    for path in source_files():
        digest.update(path.read_bytes())
    return EventParser(
        lambda sender, body: dispatch.parse(sender or DEFAULT_SENDER, body).outcome,
        digest.hexdigest()[:16],
        rejected_reason=poison.REJECTED_BY_STORE,
        poison_reason=poison.KILLS_WORKER,
        suppressions=suppressions,
    )


def source_files() -> list[Path]:
    """Return the Python files of PACKAGES and their sub-packages, sorted."""
    return sorted(path for package in PACKAGES for folder in package.__path__ for path in Path(folder).rglob("*.py"))
