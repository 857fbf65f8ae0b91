"""`python -m dev.release COMMIT VERSION`: records a release, so that the upgrade tests run against it.

Writes tests/upgrade/VERSION with stream entries and a spool of the release, writes its bill of materials to
deploy/sbom, and adds the commit to releases.toml.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dev.errors import StartError
from dev.release import queue_data, releases, sbom


def main(arguments: Sequence[str]) -> int:
    """Record a release. Return the exit code: 1 if it cannot be recorded."""
    parser = argparse.ArgumentParser(prog="python -m dev.release", description=__doc__)
    parser.add_argument("commit", help="full hash of the released commit")
    parser.add_argument("version", help="its version in pyproject.toml")
    options = parser.parse_args(arguments)
    try:
        record(str(options.commit), str(options.version))
    except (StartError, sbom.LicenceUnknownError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def record(commit: str, version: str) -> None:
    """Record the release, or record it again.

    Raises StartError if its code cannot be read or run, and LicenceUnknownError.
    """
    with tempfile.TemporaryDirectory() as name:
        releases.extract(commit, Path(name))
        target = releases.RELEASES_FOLDER / version
        target.mkdir(parents=True, exist_ok=True)
        queue_data.record(Path(name), target)
        sbom.BILLS_FOLDER.mkdir(exist_ok=True)
        bill = json.dumps(sbom.bill_of_materials(Path(name)), indent=2)
        (sbom.BILLS_FOLDER / f"{version}.cdx.json").write_text(f"{bill}\n", encoding="utf-8")
    releases.save(releases.Release(version, commit, releases.migrations_id(commit)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
