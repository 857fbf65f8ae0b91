"""Runs a campaign: events at a steady rate, a fault every few seconds, then the verdict."""

import hashlib
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dev.chaos import ledger_command, verdict
from dev.chaos.event_generator import EventGenerator
from dev.chaos.faults import catalog
from dev.chaos.faults.catalog import ALL_FAULTS, ALONE, DISK_FAULTS, FAILOVERS, FAULTS, POSTGRES_FROZEN
from dev.chaos.faults.fault import Undo
from dev.chaos.system_under_test import SystemUnderTest
from dev.chaos.verdict import Verdict
from dev.chaos.webhook_sender import DeliveryLog, WebhookSender

MIN_PAUSE, MAX_PAUSE = 1.0, 4.0
"""The shortest and the longest time in seconds between two faults."""
RECOVERY_SECONDS = 90.0
"""The time in seconds that the system has at the end to store everything."""
RECOVERY_CHECK_SECONDS = 0.25
RECOVERY_SAMPLE = 50
MAX_REFUSALS = 20
"""The number of refusals that the report shows."""


@dataclass(slots=True)
class CampaignResult:
    seed: int
    seconds: float
    injected_faults: Counter[str]
    deliveries: DeliveryLog
    verdict: Verdict
    ledger_problem: str
    """The output of `python -m store ledger`, or empty if the ledger is exact."""
    recoveries: dict[str, float] = field(default_factory=dict[str, float])
    """The longest time in seconds, per kind of fault, until everything acknowledged by its end was readable."""

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean and not self.ledger_problem and not self.deliveries.refused


@dataclass(slots=True)
class _PendingRecovery:
    """Events that were acknowledged before the end of a fault and must now become readable."""

    fault: str
    healed_at: float
    digests: list[bytes]


class Campaign:
    """A campaign on a system of its own."""

    def __init__(self, *, minutes: float, seed: int, rate: float, workers: int = 2) -> None:
        self._minutes = minutes
        self._seed = seed
        self._rate = rate
        self._workers = workers
        self._random = random.Random(seed)
        self._injected: Counter[str] = Counter()
        self._undos: list[tuple[float, str, Undo]] = []
        self._open: list[_PendingRecovery] = []
        self._recoveries: dict[str, float] = {}
        self._next_check_at = 0.0

    def run(self, print_line: Callable[[str], None]) -> CampaignResult:
        """Start the system, inject faults, let it recover, and compare the result."""
        with SystemUnderTest(workers=self._workers, is_replicated=True) as system:
            if system.redis_disk is None:
                print_line("no C compiler: nothing happens to disks and clocks")
            started = time.monotonic()
            with WebhookSender(system.port, EventGenerator(self._seed), self._rate) as sender:
                self._inject_faults(system, sender.deliveries, started + self._minutes * 60, print_line)
                self._undo_all(system)
                system.wait(2.0)
            print_line("no more faults, no more events: waiting until everything is stored")
            self._wait_for_recovery(system, sender.deliveries)
            seconds = time.monotonic() - started
            doubtful = [*sender.deliveries.unanswered, *sender.deliveries.refused]
            found = verdict.judge(system.postgres.url, sender.deliveries.acknowledged, doubtful)
            said = ledger_command.wait_until_exact(system.postgres.url, system.wait)
            result = CampaignResult(
                self._seed, seconds, self._injected, sender.deliveries, found, said, self._recoveries
            )
            if not result.is_clean:
                print_line(f"not clean: the logs are in {self._keep_logs(system)}")
        return result

    def _keep_logs(self, system: SystemUnderTest) -> Path:
        folder = Path(os.environ.get("DATA_DIR") or "var").absolute() / "chaos" / str(self._seed)
        for path in system.log_paths:
            kept = folder / path.relative_to(system.folder)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)
        return folder

    def _inject_faults(
        self, system: SystemUnderTest, record: DeliveryLog, end: float, print_line: Callable[[str], None]
    ) -> None:
        names = [*FAULTS, *FAILOVERS, *(DISK_FAULTS if system.redis_disk is not None else ())]
        weights = [catalog.WEIGHTS.get(name, 1) for name in names]
        due = time.monotonic() + MIN_PAUSE
        while (now := time.monotonic()) < end:
            if now >= due:
                [name] = self._random.choices(names, weights)
                if self._may_happen(name, system):
                    self._inject(name, system, record, print_line)
                due = now + self._random.uniform(MIN_PAUSE, MAX_PAUSE)
            self._undo_due(system, record)

    def _may_happen(self, name: str, system: SystemUnderTest) -> bool:
        """Return whether the system can keep its promises under this fault as well. Both servers must run."""
        if any(pending in ALONE for _, pending, _ in self._undos) or (name in ALONE and self._undos):
            return False
        if not (system.valkey.running and system.postgres.running):
            return False
        return name not in FAILOVERS or system.replicas_follow

    def _inject(
        self, name: str, system: SystemUnderTest, record: DeliveryLog, print_line: Callable[[str], None]
    ) -> None:
        after, undo = ALL_FAULTS[name](system, self._random)
        self._injected[name] += 1
        print_line(f"{name}{f', for {after:.1f} s' if after else ''}; {len(record.acknowledged):,} acknowledged so far")
        self._undos.append((time.monotonic() + after, name, undo))

    def _undo_due(self, system: SystemUnderTest, record: DeliveryLog) -> None:
        now = time.monotonic()
        for item in [item for item in self._undos if item[0] <= now]:
            self._undos.remove(item)
            _, name, undo = item
            undo()
            recent = record.acknowledged[-RECOVERY_SAMPLE:]
            digests = [hashlib.sha256(body).digest() for body in recent]
            self._open.append(_PendingRecovery(name, time.monotonic(), digests))
        system.wait(0.05)
        if now >= self._next_check_at:
            self._next_check_at = now + RECOVERY_CHECK_SECONDS
            self._record_recoveries(system)

    def _record_recoveries(self, system: SystemUnderTest) -> None:
        is_frozen = any(name == POSTGRES_FROZEN for _, name, _ in self._undos)
        if not self._open or is_frozen or not system.postgres.running:
            return  # this thread also ends the faults, so it must not wait for a server
        try:
            with psycopg.connect(system.postgres.url, autocommit=True) as database:
                for recovery in list(self._open):
                    row = database.execute(
                        "SELECT count(*) FROM event_digests WHERE digest = ANY(%s)", [list(set(recovery.digests))]
                    ).fetchone()
                    if row == (len(set(recovery.digests)),):
                        self._open.remove(recovery)
                        took = time.monotonic() - recovery.healed_at
                        self._recoveries[recovery.fault] = max(took, self._recoveries.get(recovery.fault, 0.0))
        except psycopg.OperationalError:
            return  # the fault of the moment

    def _undo_all(self, system: SystemUnderTest) -> None:
        for _, _, undo in self._undos:
            undo()
        self._undos.clear()
        system.repair()

    def _wait_for_recovery(self, system: SystemUnderTest, record: DeliveryLog) -> None:
        end = time.monotonic() + RECOVERY_SECONDS
        distinct = {hashlib.sha256(body).digest() for body in record.acknowledged}
        while time.monotonic() < end:
            self._record_recoveries(system)
            with psycopg.connect(system.postgres.url, autocommit=True) as database:
                kept = {bytes(digest) for (digest,) in database.execute("SELECT digest FROM event_digests")}
            if distinct <= kept and ledger_command.has_nothing_waiting(system.postgres.url):
                return
            system.wait(0.5)


def format_report(result: CampaignResult) -> str:
    """Return the result as text."""
    record, found = result.deliveries, result.verdict
    lines = [f"{'fault':<29}{'times':>7}{'slowest recovery':>19}"]
    for name in ALL_FAULTS:
        took = result.recoveries.get(name)
        lines.append(f"{name:<29}{result.injected_faults[name]:>7}{'' if took is None else f'{took:.1f} s':>19}")
    figures: dict[str, object] = {
        "seed": result.seed,
        "seconds": f"{result.seconds:.0f}",
        "faults": result.injected_faults.total(),
        "acknowledged": len(record.acknowledged),
        "different of them": len(set(record.acknowledged)),
        "stored": found.stored_events,
        "missing": found.missing_events,
        "doubled": found.duplicate_rows,
        "non-2xx": len(record.refused),
        "unanswered (ingest died)": len(record.unanswered),
        "slowest recovery": f"{max(result.recoveries.values(), default=0.0):.1f} s",
        "p99 of acknowledgement": f"{record.p99_latency(0.0, float('inf')) * 1000:.0f} ms",
        "ledger": result.ledger_problem or "exact",
    }
    lines += ["", *(f"{name:<26}{value!s:>16}" for name, value in figures.items())]
    lines += [f"WRONG: {sentence}" for sentence in (*found.wrong_rows, *found.ledger_problems)]
    lines += [f"WRONG: {found.unexpected_events} events that were never sent"] * bool(found.unexpected_events)
    lines += [f"WRONG: answered at {refusal}" for refusal in record.refusals[:MAX_REFUSALS]]
    return "\n".join(lines)
