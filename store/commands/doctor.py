"""`doctor`: runs all checks and prints findings with remedies; the exit code is for monitors."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from store.commands.command import Command
from store.doctor import checks
from store.doctor.finding import SEVERITIES, Finding, Severity
from store.model import lines

EXIT_CODES: Mapping[Severity, int] = {"ok": 0, "info": 0, "warning": 1, "broken": 2}
"""The exit code for the worst finding, as in Nagios."""
_SUMMARIES: Mapping[Severity, str] = {
    "ok": "No problem found.",
    "info": "No problem found.",
    "warning": "There are warnings.",
    "broken": "Something is broken.",
}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quiet", action="store_true", help="print only warnings and what is broken")


def _run(options: Namespace, environ: Mapping[str, str]) -> int:
    findings = checks.run(environ)
    worst = max(findings, key=lambda finding: SEVERITIES.index(finding.severity)).severity
    printed = [finding for finding in findings if EXIT_CODES[finding.severity] or not options.quiet]
    if options.json:
        print(json.dumps({"severity": worst, "findings": [finding.to_json() for finding in printed]}))
    else:
        _print_findings(printed, worst)
    return EXIT_CODES[worst]


def _print_findings(findings: list[Finding], worst: Severity) -> None:
    for finding in findings:
        # Escaped, because a gateway chooses the ids of its sessions.
        print(lines.escape_invisible(f"{finding.severity:>7}  {finding.name}: {finding.message}"))
        if finding.remedy is not None:
            print(f"{'':>9}{finding.remedy}")
    print(_SUMMARIES[worst])


COMMAND = Command(
    "doctor", "check everything and print remedies; exits with 0: fine, 1: warnings, 2: broken", _run, _add_arguments
)
