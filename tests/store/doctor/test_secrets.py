"""Secrets that are missing, weak, or lie about."""

from pathlib import Path

import pytest

from tests.store.doctor.conftest import TOKEN, Patient

UNSET = {"WEBHOOK_SECRETS": "", "API_TOKEN": ""}


def test_secrets_that_are_not_set_are_missed(patient: Patient) -> None:
    """Ingest and api do not start without them."""
    found = patient.answers(**UNSET)

    assert (found["secrets.webhook"], found["secrets.api"]) == ("broken", "broken")


def test_what_run_keeps_in_its_folder_counts(patient: Patient, tmp_path: Path) -> None:
    for name in ("webhook-secret", "api-token"):
        (tmp_path / name).write_text(TOKEN)
        (tmp_path / name).chmod(0o600)
    kept = patient.answers(**UNSET)
    (tmp_path / "api-token").chmod(0o644)
    opened = patient.found(**UNSET)["secrets.files"]

    assert (kept["secrets.webhook"], kept["secrets.api"], kept["secrets.files"]) == ("ok", "ok", "ok")
    assert opened.answer == "warning"
    assert opened.cure == f"chmod 600 {tmp_path / 'api-token'}"


@pytest.mark.parametrize("weak", ["hunter2", "a" * 64, f"{TOKEN},hunter2"])
def test_a_secret_that_can_be_guessed_is_told_and_not_shown(patient: Patient, weak: str) -> None:
    """One weak one among several is as good as the door open."""
    found = patient.found(WEBHOOK_SECRETS=weak)["secrets.webhook"]

    assert found.answer == "warning"
    assert weak.rsplit(",", maxsplit=1)[-1] not in found.sentence + str(found.cure)


def test_unsigned_webhooks_are_for_trials(patient: Patient) -> None:
    """It is set for an afternoon and forgotten for a year."""
    found = patient.answers(WEBHOOK_ALLOW_UNSIGNED="1", WEBHOOK_SECRETS="")

    assert found["secrets.unsigned"] == "warning"
    assert "secrets.webhook" not in found, "nothing is signed, so nothing is missing"
