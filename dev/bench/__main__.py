"""`./run bench`: measure, check, and print."""

import argparse
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from dev.bench import machine, report
from dev.bench.errors import WrongError
from dev.bench.results import Table
from dev.bench.scale import Plan
from dev.bench.testbed import Lab
from dev.errors import StartError

Measure: TypeAlias = Callable[[Lab, Plan], list[Table]]
PARTS = ("ingest", "drain", "fresh", "api", "memory")
FULL = ("connections", "workers", "stored", "flames")
"""How figures grow, and where the time goes: only with --full, or by name, which keeps each below ten minutes."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 also where a target is missed, as that is a figure; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*PARTS, *FULL)))
    parser.add_argument("--json", action="store_true", help="one document instead of tables")
    parser.add_argument(
        "--full", action="store_true", help="everything, for most of an hour; parts one by one are shorter"
    )
    parser.add_argument("--quick", action="store_true", help="only see that it works")
    parser.add_argument("--messages", type=int, help="the size of a backlog")
    parser.add_argument("--rounds", type=int, help="how often runs alternate")
    chosen = parser.parse_args(arguments)
    plan = Plan.quick() if chosen.quick else Plan.whole() if chosen.full else Plan.usual()
    plan = Plan(chosen.messages or plan.messages, chosen.rounds or plan.rounds, plan.seconds, plan.full)
    names = cast("list[str]", chosen.parts) or [*PARTS, *(FULL if chosen.full else ())]
    if unknown := [name for name in names if name not in (*PARTS, *FULL)]:
        parser.error(f"there is no part {unknown[0]}")
    return _run(names, plan, as_json=chosen.json)


def _run(names: Sequence[str], plan: Plan, *, as_json: bool) -> int:
    facts = machine.describe()
    results: dict[str, object] = {"machine": facts}
    if not as_json:
        print(machine.sentence(facts))
    parent = Path(os.environ.get("DATA_DIR") or "var").absolute() / "bench"
    try:
        with Lab.opened(parent) as lab:
            for name in names:
                measure = _part(name)
                if measure is None:
                    print(f"{name}: not in this checkout", file=sys.stderr)
                    continue
                begun = time.perf_counter()
                tables = measure(lab, plan)
                seconds = time.perf_counter() - begun
                results[name] = {"seconds": seconds, "tables": [report.document(table) for table in tables]}
                if not as_json:
                    print("\n".join(report.text(table) for table in tables), flush=True)
                    print(f"  ({name} took {seconds:.0f} s)", flush=True)
    except (WrongError, StartError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(results, indent=2))
    return 0


def _part(name: str) -> Measure | None:
    """The part's `run`; None where its module is not there."""
    module = f"dev.bench.parts.{name}"
    if importlib.util.find_spec(module) is None:
        return None
    return cast("Measure", importlib.import_module(module).run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
