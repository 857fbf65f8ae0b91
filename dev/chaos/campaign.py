"""A campaign: events at a steady rate, a fault every few seconds, and then the judgement."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from dev.chaos import faults, ledger_command, verdict
from dev.chaos.event_generator import Story
from dev.chaos.faults import FAULTS, Undo
from dev.chaos.system_under_test import System
from dev.chaos.verdict import Verdict
from dev.chaos.webhook_sender import Record, Sender

LEAST_PAUSE, LONGEST_PAUSE = 1.0, 4.0
"""Seconds between two faults."""
REST_SECONDS = 90.0
"""How long the system has in the end to bring everything home."""
LOOK = 0.25
SAMPLE = 50


@dataclass(slots=True)
class Outcome:
    """What a campaign found."""

    seed: int
    seconds: float
    injected: Counter[str]
    record: Record
    verdict: Verdict
    ledger: str
    """What `python -m store ledger` says; empty if it is exact."""
    recoveries: dict[str, float] = field(default_factory=dict[str, float])
    """Per kind of fault, the longest time until what was acknowledged by its end was readable, in s."""

    @property
    def clean(self) -> bool:
        return self.verdict.clean and not self.ledger and not self.record.refused


@dataclass(slots=True)
class _Recovery:
    """Events that were acknowledged before a fault was over, and must now become readable."""

    kind: str
    over: float
    digests: list[bytes]


class Campaign:
    """Runs on a system of its own."""

    def __init__(self, *, minutes: float, seed: int, rate: float, workers: int = 2) -> None:
        self._minutes = minutes
        self._seed = seed
        self._rate = rate
        self._workers = workers
        self._dice = random.Random(seed)
        self._injected: Counter[str] = Counter()
        self._undos: list[tuple[float, str, Undo]] = []
        self._open: list[_Recovery] = []
        self._recoveries: dict[str, float] = {}
        self._next_look = 0.0

    def run(self, say: Callable[[str], None]) -> Outcome:
        """Start everything, hurt it, let it rest, judge it."""
        with System(workers=self._workers) as system:
            started = time.monotonic()
            with Sender(system.port, Story(self._seed), self._rate) as sender:
                self._hurt(system, sender.record, started + self._minutes * 60, say)
                self._restore(system)
                system.wait(2.0)
            say("no more faults, no more events: waiting until everything is home")
            self._rest(system, sender.record)
            seconds = time.monotonic() - started
            found = verdict.judge(system.postgres.url, sender.record.acknowledged, sender.record.doubtful)
            said = ledger_command.trouble(system.postgres.url, system.wait)
        return Outcome(self._seed, seconds, self._injected, sender.record, found, said, self._recoveries)

    def _hurt(self, system: System, record: Record, end: float, say: Callable[[str], None]) -> None:
        names = list(FAULTS)
        weights = [faults.WEIGHTS.get(name, 1) for name in names]
        due = time.monotonic() + LEAST_PAUSE
        while (now := time.monotonic()) < end:
            if now >= due:
                [name] = self._dice.choices(names, weights)
                if self._whole(system):
                    self._inject(name, system, record, say)
                due = now + self._dice.uniform(LEAST_PAUSE, LONGEST_PAUSE)
            self._tick(system, record)

    def _whole(self, system: System) -> bool:
        """Whether both servers run: with both gone an event could be kept nowhere but in the spool."""
        return system.valkey.running and system.postgres.running

    def _inject(self, name: str, system: System, record: Record, say: Callable[[str], None]) -> None:
        after, undo = FAULTS[name](system, self._dice)
        self._injected[name] += 1
        say(f"{name}{f', for {after:.1f} s' if after else ''}; {len(record.acknowledged):,} acknowledged so far")
        self._undos.append((time.monotonic() + after, name, undo))

    def _tick(self, system: System, record: Record) -> None:
        now = time.monotonic()
        for item in [item for item in self._undos if item[0] <= now]:
            self._undos.remove(item)
            _, name, undo = item
            undo()
            recent = record.acknowledged[-SAMPLE:]
            digests = [hashlib.sha256(body).digest() for body in recent]
            self._open.append(_Recovery(name, time.monotonic(), digests))
        system.wait(0.05)
        if now >= self._next_look:
            self._next_look = now + LOOK
            self._look(system)

    def _look(self, system: System) -> None:
        if not self._open or not system.postgres.running:
            return
        try:
            with psycopg.connect(system.postgres.url, autocommit=True) as database:
                for recovery in list(self._open):
                    row = database.execute(
                        "SELECT count(*) FROM digests WHERE digest = ANY(%s)", [list(set(recovery.digests))]
                    ).fetchone()
                    if row == (len(set(recovery.digests)),):
                        self._open.remove(recovery)
                        took = time.monotonic() - recovery.over
                        self._recoveries[recovery.kind] = max(took, self._recoveries.get(recovery.kind, 0.0))
        except psycopg.OperationalError:
            return  # the fault of the moment

    def _restore(self, system: System) -> None:
        for _, _, undo in self._undos:
            undo()
        self._undos.clear()
        system.heal()

    def _rest(self, system: System, record: Record) -> None:
        end = time.monotonic() + REST_SECONDS
        distinct = {hashlib.sha256(body).digest() for body in record.acknowledged}
        while time.monotonic() < end:
            self._look(system)
            with psycopg.connect(system.postgres.url, autocommit=True) as database:
                kept = {bytes(digest) for (digest,) in database.execute("SELECT digest FROM digests")}
            if distinct <= kept and ledger_command.settled(system.postgres.url):
                return
            system.wait(0.5)


def table(outcome: Outcome) -> str:
    """The outcome for people."""
    record, found = outcome.record, outcome.verdict
    lines = [f"{'fault':<24}{'times':>7}{'slowest recovery':>19}"]
    for name in FAULTS:
        took = outcome.recoveries.get(name)
        lines.append(f"{name:<24}{outcome.injected[name]:>7}{'' if took is None else f'{took:.1f} s':>19}")
    figures: dict[str, object] = {
        "seed": outcome.seed,
        "seconds": f"{outcome.seconds:.0f}",
        "faults": outcome.injected.total(),
        "acknowledged": len(record.acknowledged),
        "different of them": len(set(record.acknowledged)),
        "stored": found.stored,
        "missing": found.missing,
        "doubled": found.doubled,
        "non-2xx": record.refused.total(),
        "unanswered (ingest died)": len(record.doubtful),
        "slowest recovery": f"{max(outcome.recoveries.values(), default=0.0):.1f} s",
        "p99 of acknowledgement": f"{record.slowest(0.0, float('inf')) * 1000:.0f} ms",
        "ledger": outcome.ledger or "exact",
    }
    lines += ["", *(f"{name:<26}{value!s:>16}" for name, value in figures.items())]
    lines += [f"WRONG: {sentence}" for sentence in (*found.wrong, *found.ledger)]
    lines += [f"WRONG: {found.foreign} events that nobody sent"] * bool(found.foreign)
    lines += [f"WRONG: {count} answers with status {status}" for status, count in sorted(record.refused.items())]
    return "\n".join(lines)
