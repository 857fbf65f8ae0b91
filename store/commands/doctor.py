"""`doctor`: what is wrong, and what to do; the exit code is for monitors."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import Command
from store.doctor import checks
from store.doctor.finding import Answer, Finding

EXIT: Mapping[Answer, int] = {"ok": 0, "warning": 1, "broken": 2}
"""By the worst finding, as monitors in the manner of Nagios understand it."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--quiet", action="store_true", help="leave out what is fine")


def _run(chosen: Namespace, environ: Mapping[str, str]) -> int:
    found = checks.examine(environ)
    worst = max(found, key=lambda one: EXIT[one.answer]).answer
    shown = [one for one in found if one.answer != "ok" or not chosen.quiet]
    if chosen.json:
        print(json.dumps({"answer": worst, "findings": [one.document() for one in shown]}))
    else:
        _print(shown, worst)
    return EXIT[worst]


def _print(found: list[Finding], worst: Answer) -> None:
    for one in found:
        print(f"{one.answer:>7}  {one.name}: {one.sentence}")
        if one.cure is not None:
            print(f"{'':>9}{one.cure}")
    print({"ok": "Nothing is wrong.", "warning": "Worth a look.", "broken": "Broken."}[worst])


COMMAND = Command(
    "doctor", "say what is wrong and what to do; exit code 0 fine, 1 warnings, 2 broken", _run, _arguments
)
