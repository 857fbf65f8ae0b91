"""`python -m dev.release.audit`: looks up every locked version in OSV, the open database of vulnerabilities.

If the database cannot be reached, this is reported but is not a failure, because builds must work offline.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import requests

from dev.checkout import ROOT

OSV_URL = "https://api.osv.dev/v1/querybatch"
TIMEOUT_SECONDS = 20.0
LOCK_FILES = ("requirements.lock", "requirements-tracing.lock", "requirements-test.lock", "requirements-bench.lock")
CLEAN, VULNERABLE = 0, 1


class OsvUnreachableError(Exception):
    """The database does not respond, or not in the expected form."""


def locked_versions(lock_file: Path) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock_file.read_text(encoding="utf-8"), re.MULTILINE))


def known_vulnerabilities(versions: dict[str, str], osv_url: str) -> dict[str, list[str]]:
    """Return the ids of known vulnerabilities by package. Raises OsvUnreachableError."""
    packages = sorted(versions)
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": versions[name]} for name in packages]
    try:
        answer = requests.post(osv_url, json={"queries": queries}, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        results = cast("list[dict[str, list[dict[str, str]]]]", answer.json()["results"])
        found = {
            name: [one["id"] for one in result.get("vulns", [])] for name, result in zip(packages, results, strict=True)
        }
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise OsvUnreachableError(type(error).__name__) from error
    return {name: ids for name, ids in found.items() if ids}


def main(arguments: Sequence[str]) -> int:
    """Audit the lock files. Return the exit code: 1 if a version that we install has known vulnerabilities."""
    parser = argparse.ArgumentParser(prog="python -m dev.release.audit", description=__doc__)
    parser.add_argument("--database", default=OSV_URL, help="another address that speaks OSV's querybatch")
    database = str(parser.parse_args(arguments).database)
    versions = {name: version for lock in LOCK_FILES for name, version in locked_versions(ROOT / lock).items()}
    try:
        found = known_vulnerabilities(versions, database)
    except OsvUnreachableError as error:
        print(f"NOT AUDITED: the database of vulnerabilities does not answer ({error}); nothing is known either way")
        return CLEAN
    for name, ids in found.items():
        print(f"{name} {versions[name]}: {', '.join(ids)}")
    print(f"{len(versions)} packages audited, {len(found)} with known vulnerabilities")
    return VULNERABLE if found else CLEAN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
