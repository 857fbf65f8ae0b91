"""Tests the units with systemd's own checker in a separate root."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.checkout import ROOT
from tests.support.project.deployments import UNIT_FILES

SYSTEMD = Path("/usr/lib/systemd/system")
FOLDER = ROOT / "deploy" / "systemd"
NAMES = ["sak-ingest.service", "sak-worker@1.service", "sak-api.service", "sak-migrate.service", "sak-history.target"]

pytestmark = pytest.mark.requires("systemd-analyze")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a root with our units, those of systemd, and a program at the path of ours."""
    units = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units)
    own = tmp_path / SYSTEMD.relative_to("/")
    own.mkdir(parents=True)
    for kind in ("target", "socket", "slice", "mount"):
        for path in SYSTEMD.glob(f"*.{kind}"):
            shutil.copy(path, own)
    program = tmp_path / "opt" / "sak-history" / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    return tmp_path


def complaints(machine: Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={machine}", *NAMES],
        cwd=machine / "etc" / "systemd" / "system",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def test_systemd_has_nothing_to_say_about_the_units(machine: Path) -> None:
    assert complaints(machine) == ""


def test_systemd_would_say_something_about_units_that_are_wrong(machine: Path) -> None:
    """A checker in an unusual root might report nothing because it checked nothing."""
    units = machine / "etc" / "systemd" / "system"
    ingest, worker = units / "sak-ingest.service", units / "sak-worker@.service"
    ingest.write_text(ingest.read_text().replace("ProtectSystem=strict", "ProtectSystem=perhaps"))
    worker.write_text(worker.read_text().replace("/.venv/bin/python", "/bin/nowhere"))
    said = complaints(machine)

    assert "perhaps" in said
    assert "/opt/sak-history/bin/nowhere" in said


def test_workers_beside_each_other_have_ports_of_their_own() -> None:
    """The port ends with the number of the template, and differs from the ports of ingest and the api."""
    port = re.findall(r"WORKER_PORT=(\S+)", (FOLDER / "sak-worker@.service").read_text())[0]

    assert {int(port.replace("%i", str(number))) for number in range(10)}.isdisjoint({3000, 3001})


def test_every_process_is_locked_in_alike() -> None:
    """An attacker would choose the unit that lacks hardening."""
    kinds = r"^(?:Protect|Private|Restrict|Lock|NoNew|Capability|SystemCall|DynamicUser|MemoryDeny|UMask)\w*=.*$"
    locks = [set(re.findall(kinds, path.read_text(), re.MULTILINE)) for path in UNIT_FILES]

    assert len(locks) == 4
    assert all(each == locks[0] for each in locks)
    assert len(locks[0]) > 15
