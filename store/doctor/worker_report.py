"""Runs the worker's checks of Redis as a command, because the store must not import Redis."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from store.doctor import finding
from store.doctor.finding import Finding

WORKER_COMMAND = ("-m", "worker", "doctor")
TIMEOUT_SECONDS = 60.0
"""The time limit in seconds, which is longer than all timeouts of the command together."""


def check(environ: Mapping[str, str]) -> list[Finding]:
    """Return the findings of `python -m worker doctor`, run with the Redis of DATA_DIR if REDIS_URL is not set."""
    environment = dict(environ)
    data_dir = Path(environ.get("DATA_DIR") or "var").absolute()
    if not environ.get("REDIS_URL"):
        try:
            environment["REDIS_URL"] = (data_dir / "redis-url").read_text(encoding="utf-8").strip()
        except OSError:
            remedy = "Set REDIS_URL to your server, or start ./run."
            message = f"REDIS_URL is not set, and DATA_DIR ({data_dir}) contains no redis-url."
            return [finding.broken("redis", message, remedy)]
    try:
        completed = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, *WORKER_COMMAND], env=environment, capture_output=True, timeout=TIMEOUT_SECONDS, check=True
        )
        return [Finding.from_json(document) for document in json.loads(completed.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        remedy = f"Run `python {' '.join(WORKER_COMMAND)}` in the checkout to see the error."
        return [finding.broken("redis", f"The checks of Redis failed with {type(error).__name__}.", remedy)]
