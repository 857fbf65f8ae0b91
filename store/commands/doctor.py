"""`doctor`: what is wrong, and what to do; the exit code is for monitors."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import Command
from store.doctor import checks
from store.doctor.finding import Finding, Severity

EXIT_CODES: Mapping[Severity, int] = {"ok": 0, "warning": 1, "broken": 2}
"""By the worst finding, as monitors in the manner of Nagios understand it."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--quiet", action="store_true", help="leave out what is fine")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    found = checks.run(environ)
    worst = max(found, key=lambda one: EXIT_CODES[one.severity]).severity
    shown = [one for one in found if one.severity != "ok" or not options.quiet]
    if options.json:
        print(json.dumps({"severity": worst, "findings": [one.to_json() for one in shown]}))
    else:
        _print_findings(shown, worst)
    return EXIT_CODES[worst]


def _print_findings(findings: list[Finding], worst: Severity) -> None:
    for one in findings:
        print(f"{one.severity:>7}  {one.name}: {one.message}")
        if one.remedy is not None:
            print(f"{'':>9}{one.remedy}")
    print({"ok": "Nothing is wrong.", "warning": "Worth a look.", "broken": "Broken."}[worst])


COMMAND = Command(
    "doctor", "say what is wrong and what to do; exit code 0 fine, 1 warnings, 2 broken", _run, _add_arguments
)
