"""Tests the bill of materials and the licences of the image."""

import json
import re

from dev.checkout import ROOT
from dev.release import audit, sbom


def test_the_bill_names_every_package_of_the_image_with_its_hashes() -> None:
    """It is compared with reports of vulnerabilities."""
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
    """`python -m dev.release.sbom --licences` creates it."""
    assert sbom.licence_list(ROOT) in (ROOT / "docs" / "licences.md").read_text()


def test_every_bill_has_the_form_of_cyclonedx() -> None:
    """Programs refuse fields that https://cyclonedx.org/docs/1.6/json/ does not define."""
    released = [json.loads(path.read_text()) for path in sorted(sbom.BILLS_FOLDER.glob("*.cdx.json"))]
    for bill in [sbom.bill_of_materials(ROOT), *released]:
        assert set(bill) == {
            *("bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies"),
        }
        assert re.fullmatch("urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
        assert bill["version"] >= 1
        components = [bill["metadata"]["component"], *bill["components"]]
        for component in components:
            assert {"type", "name", "bom-ref"} <= set(component)
            assert set(component) <= {
                *("type", "name", "version", "bom-ref", "purl", "licenses", "externalReferences"),
            }
            assert component["type"] in {"application", "library"}
            assert [list(licence) for licence in component["licenses"]] == [["expression"]]
            for reference in component.get("externalReferences", []):
                assert set(reference) == {"type", "url", "hashes"}
                assert all(re.fullmatch("[0-9a-f]{64}", each["content"]) for each in reference["hashes"])
        names = [component["bom-ref"] for component in components]
        assert len(names) == len(set(names))
        assert {one["ref"] for one in bill["dependencies"]} <= set(names)
