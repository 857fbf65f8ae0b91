"""`./run bench`: runs measurements, checks the results and prints them."""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from dev.bench import machine
from dev.bench.errors import WrongResultError
from dev.bench.results import comparison, report
from dev.bench.results.results import ResultTable
from dev.bench.scale import BenchmarkScale
from dev.bench.testbed import BenchServers
from dev.errors import StartError

Benchmark: TypeAlias = Callable[[BenchServers, BenchmarkScale], list[ResultTable]]
DEFAULT_PARTS = ("ingest", "drain", "freshness", "api", "memory")
FULL_PARTS = ("connections", "workers", "overload", "stored", "flame_graphs")
"""Parts that run only with --full or by name, so that each stays below ten minutes."""
COMPARED_MESSAGES, COMPARED_ROUNDS = 20_000, 5
"""The size of a backlog and the number of alternating rounds when two revisions are compared."""


def main(arguments: Sequence[str]) -> int:
    """Run the parts and return the exit code: 1 if a result was wrong, otherwise 0, even if a target was missed.

    With --compare, 1 means that something became slower, and 2 that a result was wrong.
    """
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*DEFAULT_PARTS, *FULL_PARTS)))
    parser.add_argument("--json", action="store_true", help="one document instead of tables")
    parser.add_argument(
        "--full", action="store_true", help="everything, for most of an hour; parts one by one are shorter"
    )
    parser.add_argument("--quick", action="store_true", help="only check that everything works")
    parser.add_argument("--messages", type=int, help="the size of a backlog")
    parser.add_argument("--rounds", type=int, help="the number of alternating runs")
    parser.add_argument(
        "--compare",
        metavar="BASE",
        help="run the parts of this checkout and of that git revision alternately; exit with 1 if this one is slower",
    )
    chosen = parser.parse_args(arguments)
    scale = (
        BenchmarkScale.quick()
        if chosen.quick
        else BenchmarkScale.complete()
        if chosen.full
        else BenchmarkScale.default()
    )
    scale = BenchmarkScale(
        chosen.messages or scale.message_count, chosen.rounds or scale.round_count, scale.run_seconds, scale.full
    )
    names = cast("list[str]", chosen.parts) or [*DEFAULT_PARTS, *(FULL_PARTS if chosen.full else ())]
    if unknown := [name for name in names if name not in (*DEFAULT_PARTS, *FULL_PARTS)]:
        parser.error(f"there is no part {unknown[0]}")
    if chosen.compare and (chosen.json or chosen.full):
        parser.error("--compare prints a table of short runs: omit --json and --full")
    if chosen.compare:
        messages = ["--messages", str(chosen.messages or COMPARED_MESSAGES)]
        return _compare(chosen.compare, [*names, *messages, *(["--quick"] if chosen.quick else [])], chosen.rounds)
    return _run(names, scale, as_json=chosen.json)


def _compare(base: str, arguments: Sequence[str], rounds: int | None) -> int:
    try:
        table = comparison.run(base, arguments, rounds or COMPARED_ROUNDS, _data_dir())
    except (WrongResultError, StartError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(report.format_table(table))
    return int(any(row.is_target_met is False for row in table.rows))


def _data_dir() -> Path:
    return Path(os.environ.get("DATA_DIR") or "var").absolute()


def _run(names: Sequence[str], scale: BenchmarkScale, *, as_json: bool) -> int:
    facts = machine.collect_facts()
    results: dict[str, object] = {"machine": facts}
    if not as_json:
        print(machine.summarize(facts))
    try:
        with BenchServers.create(_data_dir() / "bench") as servers:
            for name in names:
                measure = cast("Benchmark", importlib.import_module(f"dev.bench.parts.{name}").run)
                begun = time.perf_counter()
                tables = measure(servers, scale)
                seconds = time.perf_counter() - begun
                results[name] = {"seconds": seconds, "tables": [report.table_to_json(table) for table in tables]}
                if not as_json:
                    print("\n".join(report.format_table(table) for table in tables), flush=True)
                    print(f"  ({name} took {seconds:.0f} s)", flush=True)
    except (WrongResultError, StartError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
