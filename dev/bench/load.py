"""A load to put on a server, and what came of it."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field

from dev.bench import sample_webhooks
from dev.bench.errors import WrongError
from dev.checkout import ROOT


@dataclass(frozen=True, slots=True)
class Outcome:
    acknowledged: int
    """Answers of 200."""
    asked: int
    others: dict[str, int]
    """Other statuses; `lost` where a connection broke, `refused` where none came about."""
    begun: float
    """When the first request went out, by time.time()."""
    seconds: float
    cpu_seconds: float
    """Of the generator."""
    milliseconds: dict[str, float]
    """p50, p90, p99, p999 and max, corrected for coordinated omission."""

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds

    def document(self) -> dict[str, object]:
        return asdict(self)

    def clean(self) -> "Outcome":
        """Itself; raises WrongError if anything but a 200 came back."""
        if self.others or self.acknowledged != self.asked:
            raise WrongError(f"{self.asked} asked, {self.acknowledged} acknowledged, and {self.others or 'no answer'}.")
        return self


@dataclass(frozen=True, slots=True)
class Load:
    """As fast as it goes over so many connections, or at a rate; for so long, or so many."""

    port: int
    connections: int
    seconds: float | None = None
    count: int | None = None
    rate: float | None = None
    path: str = sample_webhooks.PATH
    crowd: str = field(default_factory=lambda: sample_webhooks.Crowd().name)
    chats: int = sample_webhooks.CHATS

    def put(self) -> Outcome:
        """Put it on, and return when it is over."""
        return self.begin().outcome()

    def begin(self) -> "Running":
        """Put it on beside other work."""
        return Running(
            subprocess.Popen(
                [sys.executable, "-m", "dev.bench.load_generator", json.dumps(asdict(self))],
                stdout=subprocess.PIPE,
                cwd=ROOT,
            )
        )


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[bytes]

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def outcome(self) -> Outcome:
        said, _ = self.process.communicate()
        if self.process.returncode:
            raise WrongError(f"The generator ended with exit code {self.process.returncode}.")
        return Outcome(**json.loads(said))
