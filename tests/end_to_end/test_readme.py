"""Tests the README's commands, as a new user pastes them."""

import subprocess

import pytest

from tests.support.processes.running_system import WEBHOOK_SECRET, RunningSystem
from tests.support.project import documentation
from tests.support.waiting import wait_until


def pasteable(system: RunningSystem) -> str:
    """Return the commands that the README marks as tested here, with the addresses and data folder of this stack."""
    lines = documentation.tested_commands("README.md", "tests/end_to_end/test_readme.py")
    assert lines
    lines = lines.replace("http://localhost:3000/whatsapp-webhook", system.stack.webhook_url)
    lines = lines.replace("http://localhost:3001", system.stack.api_url).replace("var/", f"{system.stack.data_dir}/")
    return lines.replace(".venv/bin/python", f"DATA_DIR={system.stack.data_dir} .venv/bin/python")


@pytest.mark.long
def test_the_first_five_minutes_paste(system: RunningSystem) -> None:
    """New users give up at the first command that fails."""
    (system.stack.data_dir / "webhook-secret").write_text(WEBHOOK_SECRET)  # the secret of this stack was given
    (system.stack.data_dir / "api-token").write_text(system.stack.token)

    pasted = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", pasteable(system)], capture_output=True, text=True, check=False
    )

    assert pasted.returncode == 0, pasted.stderr
    assert '"accepted":true' in pasted.stdout
    assert '"phone_number":"919876543210","name":"John"' in pasted.stdout.replace(": ", ":").replace(", ", ",")
    assert "Hi, do you have this in stock?" in pasted.stdout
    assert pasted.stdout.rstrip().endswith("exact")
    wait_until(lambda: system.chats_by_address()["919876543210"]["unread_count"] == 0)
