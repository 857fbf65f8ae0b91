"""Reads the pages of a worker's HTTP server."""

import re
import urllib.error
import urllib.request

from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners


def free_port() -> str:
    """Return a port for WORKER_PORT."""
    with listeners.open_listener("127.0.0.1", 0, "WORKER_PORT") as free:
        return str(listeners.port_of(free))


def fetch(worker: ManagedProcess, path: str) -> tuple[int, str]:
    """Return the status and the body of a page. The status is 0 if nothing listens yet."""
    url = f"http://127.0.0.1:{worker.environment['WORKER_PORT']}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def read_metric(worker: ManagedProcess, name: str) -> float | None:
    """Return the value of a metric without labels, or None if it does not exist."""
    found = re.search(rf"^{name} (\S+)$", fetch(worker, "/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None
