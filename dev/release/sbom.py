"""`python -m dev.release.sbom [--licences]`: prints the image's bill of materials, or its list of licences.

The bill is CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), made from the image's lock file: each package with its
version, the hashes of its files and its licence. Licences are read from the installed packages, so run it in an
environment of requirements-test.lock.
"""

import argparse
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from dev.checkout import ROOT

BILLS_FOLDER = ROOT / "deploy" / "sbom"
"""The folder with the bill of each release."""
LOCK_FILE = "requirements-deploy.lock"
IMAGE_PYTHON = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
_ENTRY = re.compile(r"^(?P<requirement>[^\s#].*?)(?: \\)?\n(?P<hashes>(?:    --hash=.*\n?)*)", re.MULTILINE)
_SPDX = {"MIT License": "MIT"}
"""SPDX identifiers for names that packages use instead."""
_LICENCES = {"segno": "BSD-3-Clause"}
"""The licences of packages whose metadata contains none, taken from their licence files."""


class LicenceUnknownError(Exception):
    """A locked version is not installed or has no known licence."""


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    hashes: tuple[str, ...]
    """The SHA-256 of the files that may be installed."""
    licence: str
    """An SPDX expression."""


def packages(root: Path) -> list[Package]:
    """Return the packages in the image of a checkout, sorted by name. Raises LicenceUnknownError."""
    found: list[Package] = []
    for entry in _ENTRY.finditer((root / LOCK_FILE).read_text(encoding="utf-8")):
        requirement = Requirement(entry["requirement"])
        if requirement.marker is None or requirement.marker.evaluate(IMAGE_PYTHON):
            version = str(requirement.specifier).removeprefix("==")
            hashes = tuple(re.findall("--hash=sha256:([0-9a-f]{64})", entry["hashes"]))
            found.append(Package(requirement.name, version, hashes, _licence(requirement.name, version)))
    return found


def bill_of_materials(root: Path) -> dict[str, Any]:
    """Return the CycloneDX document, which is always the same for a lock file."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{package.name}@{package.version}",
            "name": package.name,
            "version": package.version,
            "purl": f"pkg:pypi/{package.name}@{package.version}",
            "licenses": [{"expression": package.licence}],
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": f"pkg:pypi/{package.name}@{package.version}",
                    "hashes": [{"alg": "SHA-256", "content": content} for content in package.hashes],
                }
            ],
        }
        for package in packages(root)
    ]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([project["version"], components]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": project["name"],
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"expression": project["license"]}],
            }
        },
        "components": components,
        "dependencies": [{"ref": project["name"], "dependsOn": [component["bom-ref"] for component in components]}],
    }


def licence_list(root: Path) -> str:
    """Return a table in Markdown."""
    rows = [f"| {package.name} | {package.version} | {package.licence} |" for package in packages(root)]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows, ""])


def _licence(name: str, version: str) -> str:
    try:
        described = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        raise LicenceUnknownError(f"{name} is not installed: run ./run test once.") from None
    named = (described.get_all(header) for header in ("License-Expression", "License"))
    licence = next((values[0] for values in named if values), _LICENCES.get(name, ""))
    if described["Version"] != version or not licence or "\n" in licence:
        raise LicenceUnknownError(f"{name} {version} is not installed, or names no licence.")
    return _SPDX.get(licence, licence)


def main(arguments: Sequence[str]) -> int:
    """Print the bill or the list. Return the exit code: 1 if a licence is unknown."""
    parser = argparse.ArgumentParser(prog="python -m dev.release.sbom", description=__doc__)
    parser.add_argument("--licences", action="store_true", help="print the licences of the image as a table")
    try:
        if parser.parse_args(arguments).licences:
            print(licence_list(ROOT), end="")
        else:
            print(json.dumps(bill_of_materials(ROOT), indent=2))
    except LicenceUnknownError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
