"""The description of a load, and its result."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field

from dev.bench import sample_webhooks
from dev.bench.errors import BrokenPromiseError
from dev.checkout import ROOT


@dataclass(frozen=True, slots=True)
class LoadResult:
    acknowledged: int
    """Answers of 200."""
    sent: int
    other_statuses: dict[str, int]
    """Other statuses; `lost` where a connection broke, `refused` where none came about."""
    started_at: float
    """When the first request went out, by time.time()."""
    seconds: float
    cpu_seconds: float
    """Of the generator."""
    latency_ms: dict[str, float]
    """p50, p90, p99, p999 and max, corrected for coordinated omission."""

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def require_all_acknowledged(self) -> "LoadResult":
        """Itself; raises WrongError if anything but a 200 came back."""
        if self.other_statuses or self.acknowledged != self.sent:
            raise BrokenPromiseError(
                f"{self.sent} asked, {self.acknowledged} acknowledged, and {self.other_statuses or 'no answer'}."
            )
        return self


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """As fast as it goes over so many connections, or at a rate; for so long, or so many."""

    port: int
    connections: int
    seconds: float | None = None
    count: int | None = None
    rate: float | None = None
    path: str = sample_webhooks.PATH
    senders: str = field(default_factory=lambda: sample_webhooks.Senders().id_prefix)
    chats: int = sample_webhooks.CHAT_COUNT

    def run(self) -> LoadResult:
        """Put it on, and return when it is over."""
        return self.start().wait()

    def start(self) -> "RunningLoad":
        """Put it on beside other work."""
        return RunningLoad(
            subprocess.Popen(
                [sys.executable, "-m", "dev.bench.load_generator", json.dumps(asdict(self))],
                stdout=subprocess.PIPE,
                cwd=ROOT,
            )
        )


@dataclass(frozen=True, slots=True)
class RunningLoad:
    process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> LoadResult:
        said, _ = self.process.communicate()
        if self.process.returncode:
            raise BrokenPromiseError(f"The generator ended with exit code {self.process.returncode}.")
        return LoadResult(**json.loads(said))
