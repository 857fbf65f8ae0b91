"""Runs several processes of each kind on given servers, and restarts them as a supervisor does."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from dev.chaos import event_generator, ledger_command, verdict
from dev.chaos.webhook_sender import DeliveryLog, WebhookSender
from dev.embedded.managed_process import ManagedProcess
from dev.supervisor import listeners
from tests.support.processes.preloaded_python import PreloadedProcess


class ProcessFleet:
    """Processes that start when the block is entered."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        redis_url: str,
        *,
        verdict_url: str | None = None,
        ingests: int = 1,
        workers: int = 1,
        environment: dict[str, str] | None = None,
    ) -> None:
        """`verdict_url` is the URL at which the tests read the database, if the workers use another one."""
        self.database_url = verdict_url or database_url
        self.ports: list[int] = []
        shared = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "WEBHOOK_SECRETS": event_generator.SECRET,
            **(environment or {}),
        }
        self._folder = folder
        self._cleanup = ExitStack()
        self.ingests: Sequence[ManagedProcess] = [self._create_ingest(shared, number) for number in range(ingests)]
        self.workers: Sequence[ManagedProcess] = [
            PreloadedProcess("worker", shared | {"DATA_DIR": str(folder)}, folder / f"worker-{number}.log")
            for number in range(workers)
        ]

    @property
    def processes(self) -> list[ManagedProcess]:
        return [*self.ingests, *self.workers]

    @property
    def output(self) -> str:
        return "\n".join(program.output for program in self.processes)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.push(self._cleanup.pop_all())
            for program in self.processes:
                stack.enter_context(program)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Return whether the condition held in time. Processes that end in the meantime are restarted."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.restart_ended()
            time.sleep(0.05)
        return True

    def wait(self, seconds: float) -> None:
        self.wait_until(lambda: False, seconds)

    def restart_ended(self) -> None:
        for program in self.processes:
            program.restart_if_ended()

    def read_metric(self, name: str, ingest: int = 0) -> float:
        """Return a sample of an ingest's metrics; 0 if it does not exist."""
        text = requests.get(f"http://127.0.0.1:{self.ports[ingest]}/metrics", timeout=10).text
        found = [line for line in text.splitlines() if line.startswith(name + " ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    def count_spooled_events(self) -> float:
        return sum(self.read_metric("sak_spool_events", number) for number in range(len(self.ports)))

    def find_problems(self, *records: DeliveryLog) -> str:
        """Return what is wrong once all events are drained; empty if none was refused, lost or duplicated."""
        refused = [f"{record.refusals} refused" for record in records if record.refused]
        acknowledged = [body for record in records for body in record.acknowledged]
        doubtful = [body for record in records for body in (*record.unanswered, *record.refused)]
        unexact = ledger_command.wait_until_exact(self.database_url, self.wait)
        found = verdict.judge(self.database_url, acknowledged, doubtful)
        return "; ".join([*refused, *([unexact] if unexact else []), *([] if found.is_clean else [str(found)])])

    def create_sender(self, seed: int, rate: float, ingest: int = 0) -> WebhookSender:
        return WebhookSender(self.ports[ingest], event_generator.EventGenerator(seed), rate)

    def _create_ingest(self, shared: dict[str, str], number: int) -> ManagedProcess:
        listener: socket.socket = self._cleanup.enter_context(listeners.open_listener("127.0.0.1", 0, "INGEST_PORT"))
        self.ports.append(listeners.port_of(listener))
        descriptor = listener.fileno()
        return PreloadedProcess(
            "ingest",
            shared | {"DATA_DIR": str(self._folder / f"ingest-{number}"), "LISTEN_FD": str(descriptor)},
            self._folder / f"ingest-{number}.log",
            pass_fds=[descriptor],
        )
