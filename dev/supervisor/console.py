"""Prints messages. In a demo, the programs' own lines go to a file, so that the dashboard's link stays visible."""

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from environment import output, private_file

LOG_NAME = "demo.log"
"""The name of the file in DATA_DIR."""
_BOLD, _GREEN, _RESET = "\033[1m", "\033[32m", "\033[0m"


class Console:
    def __init__(self, log_path: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """Create a console.

        The programs' lines go to the file `log_path`, which is emptied, or are printed if it is None.
        """
        self.log_path = log_path
        self._log: TextIO | None = None
        self._is_terminal = sys.stdout.isatty()
        # https://no-color.org
        self._has_colours = self._is_terminal and not environ.get("NO_COLOR")

    def notice(self, source: str, line: str) -> None:
        """Print a line about the system or about a program."""
        _print(f"{source:<8} | {line}")

    def output(self, source: str, line: str) -> None:
        """Print or record a line of a program."""
        if self.log_path is None:
            self.notice(source, line)
            return
        with contextlib.suppress(OSError):  # a full disk
            if self._log is None:
                descriptor = private_file.open_descriptor(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                self._log = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
            self._log.write(f"{source:<8} | {line}\n")

    def ready(self, webhook_url: str, api_url: str, dashboard_url: str) -> None:
        """Print the addresses: in a box on a terminal, otherwise on one line for programs."""
        if not self._is_terminal:
            self.notice("dev", f"ready: webhooks to {webhook_url}, api at {api_url}, dashboard at {dashboard_url}")
            return
        addresses = [("dashboard", dashboard_url), ("webhooks to", webhook_url), ("api at", api_url)]
        if self.log_path is not None:
            addresses.append(("log", str(self.log_path)))
        lines = ["ready", *(f"{name:<11} {value}" for name, value in addresses)]
        for number, line in enumerate(_boxed(lines, shutil.get_terminal_size().columns)):
            # The second line has the word, the third the link.
            style = {1: _BOLD + _GREEN, 2: _BOLD}.get(number, "") if self._has_colours else ""
            _print(f"{style}{line}{_RESET if style else ''}")

    def close(self) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.close()


def _boxed(lines: Sequence[str], columns: int) -> list[str]:
    """Return the lines between two rules, with sides if they fit. A link that is broken by a side cannot be clicked."""
    width = max(map(len, lines))
    if width + 4 > columns:
        rule = "─" * columns
        return [rule, *lines, rule]
    return [f"┌{'─' * (width + 2)}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{'─' * (width + 2)}┘"]


def _print(line: str) -> None:
    """Print a line. A closed terminal or a full disk is ignored."""
    try:
        print(line, flush=True)
    except OSError:  # `./run | grep -m1 ready`, a closed terminal, a full disk
        output.discard()
