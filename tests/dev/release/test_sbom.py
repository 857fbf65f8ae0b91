"""The bill of materials and the licences of the image."""

import re

from dev.checkout import ROOT
from dev.release import audit, sbom


def test_the_bill_names_every_package_of_the_image_with_its_hashes() -> None:
    """It is what somebody compares a report of a vulnerability with."""
    bill = sbom.bill_of_materials(ROOT)

    locked = audit.locked_versions(ROOT / sbom.LOCK_FILE)
    named = {component["name"]: component["version"] for component in bill["components"]}
    assert named == {name: version for name, version in locked.items() if name != "async-timeout"}, "it is for 3.11.2"
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    references = [reference for component in bill["components"] for reference in component["externalReferences"]]
    hashes = [each["content"] for reference in references for each in reference["hashes"]]
    assert all(reference["hashes"] for reference in references)
    assert set(hashes) <= set(re.findall("sha256:([0-9a-f]{64})", (ROOT / sbom.LOCK_FILE).read_text()))
    assert {ref for one in bill["dependencies"] for ref in one["dependsOn"]} == {
        component["bom-ref"] for component in bill["components"]
    }


def test_the_page_of_licences_is_that_of_the_lock_file() -> None:
    """`python -m dev.release.sbom --licences` makes it."""
    assert sbom.licence_list(ROOT) in (ROOT / "docs" / "licences.md").read_text()
