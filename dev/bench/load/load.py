"""Describes a load and its result."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field

from dev.bench.errors import WrongResultError
from dev.bench.load import sample_webhooks
from dev.checkout import ROOT


@dataclass(frozen=True, slots=True)
class LoadResult:
    acknowledged: int
    """The number of responses with status 200."""
    sent: int
    other_statuses: dict[str, int]
    """The number of responses by other status: `lost` if a connection broke, `refused` if none could be opened."""
    started_at: float
    """The time of the first request, by time.time()."""
    seconds: float
    cpu_seconds: float
    """The CPU time of the load generator in seconds."""
    latency_ms: dict[str, float]
    """p50, p90, p99, p999 and max, corrected for coordinated omission, and `worst_p99`: that of the worst second."""

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def require_all_acknowledged(self) -> "LoadResult":
        """Return the result. Raises WrongResultError unless every response was 200."""
        if self.other_statuses or self.acknowledged != self.sent:
            raise WrongResultError(
                f"{self.sent} asked, {self.acknowledged} acknowledged, and {self.other_statuses or 'no answer'}."
            )
        return self


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """A load at full speed or at a rate, over a number of connections, limited by time or by number of requests."""

    port: int
    connections: int
    seconds: float | None = None
    count: int | None = None
    rate: float | None = None
    path: str = sample_webhooks.PATH
    senders: str = field(default_factory=lambda: sample_webhooks.SampleSenders().id_prefix)
    chats: int = sample_webhooks.CHAT_COUNT

    def run(self) -> LoadResult:
        """Apply the load and return its result."""
        return self.start().wait()

    def start(self) -> "RunningLoad":
        """Start to apply the load in the background."""
        return RunningLoad(
            subprocess.Popen(
                [sys.executable, "-m", "dev.bench.load.load_generator", json.dumps(asdict(self))],
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
        output, _ = self.process.communicate()
        if self.process.returncode:
            raise WrongResultError(f"The generator ended with exit code {self.process.returncode}.")
        return LoadResult(**json.loads(output))
