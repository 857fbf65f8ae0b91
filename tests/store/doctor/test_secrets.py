"""Tests the doctor's checks for missing, weak and exposed secrets."""

from pathlib import Path

import pytest

from ingest.quarantine.quarantine_file import FILE_NAME, QuarantineFile, UnverifiedWebhook
from tests.support.processes.examined_system import API_TOKEN, ExaminedSystem

UNSET = {"WEBHOOK_SECRETS": "", "API_TOKEN": ""}


def test_missing_secrets_are_reported(examined_system: ExaminedSystem) -> None:
    """Ingest and the API do not start without them."""
    found = examined_system.results(**UNSET)

    assert (found["secrets.webhook"], found["secrets.api"]) == ("broken", "broken")


def test_secrets_in_data_dir_are_found(examined_system: ExaminedSystem, tmp_path: Path) -> None:
    for name in ("webhook-secret", "api-token"):
        (tmp_path / name).write_text(API_TOKEN)
        (tmp_path / name).chmod(0o600)
    kept = examined_system.results(**UNSET)
    (tmp_path / "api-token").chmod(0o644)
    opened = examined_system.findings(**UNSET)["secrets.files"]

    assert (kept["secrets.webhook"], kept["secrets.api"], kept["secrets.files"]) == ("ok", "ok", "ok")
    assert opened.severity == "warning"
    assert opened.remedy == f"chmod 600 {tmp_path / 'api-token'}"


@pytest.mark.parametrize("weak", ["hunter2", "a" * 64, f"{API_TOKEN},hunter2"])
def test_a_weak_secret_is_reported_and_not_shown(examined_system: ExaminedSystem, weak: str) -> None:
    """One weak secret among several is enough for an attacker."""
    found = examined_system.findings(WEBHOOK_SECRETS=weak)["secrets.webhook"]

    assert found.severity == "warning"
    assert weak.rsplit(",", maxsplit=1)[-1] not in found.message + str(found.remedy)


def test_unsigned_webhooks_are_a_warning(examined_system: ExaminedSystem) -> None:
    """The setting is meant for trials and is easily forgotten."""
    found = examined_system.results(WEBHOOK_ALLOW_UNSIGNED="1", WEBHOOK_SECRETS="")

    assert found["secrets.unsigned"] == "warning"
    assert "secrets.webhook" not in found, "nothing is signed, so nothing is missing"


def test_webhooks_in_quarantine_are_reported(examined_system: ExaminedSystem) -> None:
    """Every webhook gets 401 because the gateway's secret is missing here, and only the gateway's log shows it."""
    folder = examined_system.data_dir / "spool"
    folder.mkdir(exist_ok=True)
    file = QuarantineFile(folder / FILE_NAME)
    file.add([UnverifiedWebhook(1, b"signature", b"body")], 1_000)
    found = examined_system.findings()["secrets.quarantine"]
    file.remove([1])

    assert (found.severity, found.message.partition(" are")[0]) == ("warning", "1 webhooks (4 bytes)")
    assert examined_system.results()["secrets.quarantine"] == "ok"
    file.path.unlink()
