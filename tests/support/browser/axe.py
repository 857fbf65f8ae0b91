"""Checks pages with axe-core, which finds obstacles for people with disabilities."""

import tarfile
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from dev.checkout import ROOT
from tests.support.browser import npm_packages

VERSION = "4.14.1"
CACHE_FOLDER = ROOT / "var" / "axe"


def read_source() -> str:
    """Return the source of axe-core, which is fetched once. Skip the test if it cannot be fetched."""
    source = CACHE_FOLDER / VERSION / "axe.min.js"
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        # Other workers may fetch it at the same time, so each writes files of its own.
        with tempfile.TemporaryDirectory(dir=source.parent) as folder:
            package = f"axe-core@{VERSION}"
            npm_packages.fetch(package, "pack", package, "--pack-destination", folder)
            with tarfile.open(Path(folder) / f"axe-core-{VERSION}.tgz") as packed:
                member = packed.extractfile("package/axe.min.js")
                assert member
                (Path(folder) / source.name).write_bytes(member.read())
            (Path(folder) / source.name).replace(source)
    return source.read_text()


def obstacles(page: Page) -> list[str]:
    """Return the violations that axe-core calls serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(read_source())
    found: list[str] = page.evaluate(
        """async () => (await axe.run()).violations
            .filter((one) => ["serious", "critical"].includes(one.impact))
            .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`))"""
    )
    return found
