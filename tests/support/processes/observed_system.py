"""Runs ingest, worker and API on servers of their own, as Prometheus sees them."""

import re
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from dev.chaos import event_generator
from dev.embedded.child_process import wait_until
from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners
from tests.support.processes.preloaded_python import PreloadedProcess

API_TOKEN = "made-up-token-0123456789abcdef"
UNKNOWN_EVENT = b'{"event":"call.missed","sessionId":"s1"}'


class ObservedSystem:
    """Running processes and the URL of each."""

    def __init__(self, database_url: str, redis_url: str, stack: ExitStack, folder: Path, **environment: str) -> None:
        self.urls: dict[str, str] = {}
        shared = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "WEBHOOK_SECRETS": event_generator.SECRET,
            "API_TOKEN": API_TOKEN,
            "DATA_DIR": str(folder),
            **environment,
        }
        self.programs: dict[str, ManagedProcess] = {}
        for module in ("ingest", "api"):
            listener = stack.enter_context(listeners.open_listener("127.0.0.1", 0, f"{module.upper()}_PORT"))
            number = listener.fileno()
            self.urls[module] = f"http://127.0.0.1:{listeners.port_of(listener)}"
            self.programs[module] = PreloadedProcess(
                module, {**shared, "LISTEN_FD": str(number)}, folder / f"{module}.log", pass_fds=(number,)
            )
        with listeners.open_listener("127.0.0.1", 0, "WORKER_PORT") as listener:
            port = str(listeners.port_of(listener))
        self.urls["worker"] = f"http://127.0.0.1:{port}"
        self.programs["worker"] = PreloadedProcess("worker", {**shared, "WORKER_PORT": port}, folder / "worker.log")
        for program in self.programs.values():
            stack.enter_context(program)
        assert wait_until(lambda: all(self.get(name, "/readyz")[0] == 200 for name in self.urls), 60), self.output

    @property
    def output(self) -> str:
        return "\n".join(program.output for program in self.programs.values())

    def get(self, name: str, path: str) -> tuple[int, str]:
        """Return the status and the body of a page. The status is 0 if nothing listens yet."""
        request = urllib.request.Request(self.urls[name] + path, headers={"Authorization": f"Bearer {API_TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def post_webhook(self, body: bytes, signature: str | None = None) -> int:
        """Post a webhook and return the status."""
        headers = {"X-Webhook-Signature": signature or event_generator.sign(body), "Content-Type": "application/json"}
        request = urllib.request.Request(self.urls["ingest"] + "/whatsapp-webhook", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def metric_samples(self) -> dict[str, float]:
        """Return every sample of all three processes, from `name{labels}` to its value."""
        samples: dict[str, float] = {}
        for name in self.urls:
            for line in self.get(name, "/metrics")[1].splitlines():
                if not line.startswith("#"):
                    sample, _, value = line.rpartition(" ")
                    samples[sample] = float(value)
        return samples

    def metric_names(self) -> set[str]:
        """Return every metric name that a query may use."""
        names: set[str] = set()
        for name in self.urls:
            for metric, kind in re.findall(r"^# TYPE (\S+) (\S+)$", self.get(name, "/metrics")[1], re.MULTILINE):
                parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
                names |= {metric + part for part in parts}
        return names
