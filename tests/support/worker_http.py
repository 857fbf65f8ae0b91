"""What a worker tells over HTTP."""

import re
import urllib.error
import urllib.request

from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners


def free_port() -> str:
    """For WORKER_PORT."""
    with listeners.open_listener("127.0.0.1", 0, "WORKER_PORT") as free:
        return str(listeners.port_of(free))


def fetch(worker: ManagedProcess, path: str) -> tuple[int, str]:
    """The status and the body of a page; status 0 where nobody listens yet."""
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
    """The value of a metric without labels; None where it is not told."""
    found = re.search(rf"^{name} (\S+)$", fetch(worker, "/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None
