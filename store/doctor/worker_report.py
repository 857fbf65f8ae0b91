"""What the worker says of Redis. The store knows no Redis (a contract in pyproject.toml), so it asks as you would."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from store.doctor import finding
from store.doctor.finding import Finding

WORKER_COMMAND = ("-m", "worker", "doctor")
TIMEOUT_SECONDS = 60.0
"""Far above its own time-outs."""


def check(environ: Mapping[str, str]) -> list[Finding]:
    """What `python -m worker doctor` finds, with the Redis of the stack that runs on DATA_DIR if none is named."""
    environment = dict(environ)
    if not environ.get("REDIS_URL"):
        try:
            environment["REDIS_URL"] = (Path(environ.get("DATA_DIR") or "var") / "redis-url").read_text().strip()
        except OSError:
            cure = "Name your server in REDIS_URL, or start ./run."
            return [finding.broken("redis", "REDIS_URL is not set, and no stack is running here.", cure)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, *WORKER_COMMAND], env=environment, capture_output=True, timeout=TIMEOUT_SECONDS, check=True
        )
        return [Finding.from_json(document) for document in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        cure = f"Run `python {' '.join(WORKER_COMMAND)}` from the checkout to see why."
        return [finding.broken("redis", f"The worker's part of the doctor ended with {type(error).__name__}.", cure)]
