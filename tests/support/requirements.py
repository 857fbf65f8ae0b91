"""Checks the requirements of tests. If one is missing, the test is skipped, and in CI it fails."""

import os
import shutil
import sys
from pathlib import Path

import pytest

SETTING = "REQUIRE_PROGRAMS"
"""The variable that `.ci/run` sets so that tests fail if a requirement is missing."""
HAS_NAMESPACES = sys.platform == "linux" and os.geteuid() == 0 and Path("/usr/bin/unshare").exists()
"""Whether this machine can imitate a container."""
WHOLE_CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM = next((path for path in (Path("/usr/bin/chromium-headless-shell"), WHOLE_CHROMIUM) if path.exists()), None)
"""The path of Chromium. The shell without windows takes a third of the processor time of the whole browser."""
FIREFOX = Path("/usr/bin/firefox-esr")
PGBOUNCER = Path("/usr/sbin/pgbouncer")
PROMETHEUS = Path("/usr/bin/prometheus")
PROMTOOL = Path("/usr/bin/promtool")
SYSTEMD = Path("/lib/systemd/systemd")

_INSTALL = "on Debian: apt install"
_CHECKS = {
    "chromium": (CHROMIUM, f"Chromium is missing ({_INSTALL} chromium-headless-shell)"),
    "notifications": (WHOLE_CHROMIUM.exists(), f"{WHOLE_CHROMIUM} is missing ({_INSTALL} chromium)"),
    "firefox": (FIREFOX.exists(), f"{FIREFOX} is missing ({_INSTALL} firefox-esr)"),
    "pgbouncer": (PGBOUNCER.exists(), f"{PGBOUNCER} is missing ({_INSTALL} pgbouncer)"),
    "prometheus": (
        PROMETHEUS.exists() and PROMTOOL.exists(),
        f"{PROMETHEUS} or {PROMTOOL} is missing ({_INSTALL} prometheus)",
    ),
    "systemd-analyze": (shutil.which("systemd-analyze"), f"systemd-analyze is missing ({_INSTALL} systemd)"),
    "systemd": (
        HAS_NAMESPACES and SYSTEMD.exists(),
        f"systemd in namespaces needs Linux, root, util-linux and {SYSTEMD} ({_INSTALL} systemd)",
    ),
    "namespaces": (HAS_NAMESPACES, "the lines of the Dockerfile need mount namespaces: Linux, root and util-linux"),
    "compiler": (
        sys.platform == "linux" and shutil.which("cc"),
        f"disks with faults need Linux and a C compiler, cc ({_INSTALL} gcc libc6-dev)",
    ),
}


def require(name: str) -> None:
    """Return if the machine has it. Otherwise skip the test, or fail it in CI."""
    found, sentence = _CHECKS[name]
    if not found:
        report_missing(sentence)


def report_missing(sentence: str) -> None:
    """Skip the test, or fail it in CI, with the sentence as the reason."""
    if os.environ.get(SETTING):
        pytest.fail(f"{sentence}, and {SETTING} is set.")
    pytest.skip(f"{sentence}.")
