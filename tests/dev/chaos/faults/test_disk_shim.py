"""Tests that the shim causes exactly the requested faults, because every test of a bad disk depends on it."""

import select
import subprocess
import sys
from pathlib import Path

from dev.chaos.faults.disk_shim import DiskShim, Faults
from tests.support.servers.disk_faults import build_shim


def run(shim: DiskShim, program: str, *arguments: Path) -> str:
    """Return the output of a Python program under the shim."""
    command = [sys.executable, "-S", "-c", f"import os, sys, time\n{program}", *map(str, arguments)]
    return subprocess.run(command, env=dict(shim.environment), capture_output=True, text=True, check=True).stdout


def made_shim(tmp_path: Path) -> tuple[DiskShim, Path, Path]:
    """Return a shim, a file on its disk, and a file outside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    for path in (disk / "file", tmp_path / "diskette"):
        path.write_bytes(b"x" * 10)
    return build_shim(tmp_path, disk), disk / "file", tmp_path / "diskette"


SYNC = """
for path in sys.argv[1:]:
    with open(path, "ab") as file:
        for sync in (os.fsync, os.fdatasync):
            try:
                sync(file.fileno())
                print("synced")
            except OSError as error:
                print(error.errno)
"""


def test_a_sync_fails_on_this_disk_only(tmp_path: Path) -> None:
    """EIO in a log of another folder would be a different fault."""
    shim, file, other = made_shim(tmp_path)
    healthy = run(shim, SYNC, file, other).split()
    shim.set(Faults(sync_error_rate=1.0))

    assert healthy == ["synced"] * 4
    assert run(shim, SYNC, file, other).split() == ["5", "5", "synced", "synced"]


def test_a_share_of_the_syncs_fails(tmp_path: Path) -> None:
    """A failing disk does not fail always, so the operations before and after count, too."""
    shim, file, _ = made_shim(tmp_path)
    shim.set(Faults(sync_error_rate=0.3))
    answers = run(shim, SYNC.replace("(os.fsync, os.fdatasync)", "[os.fsync] * 1000"), file).split()

    assert 200 < answers.count("5") < 400
    assert len(answers) == 1000


def test_a_slow_sync_ends_when_the_disk_is_fast_again(tmp_path: Path) -> None:
    """A campaign removes its faults while processes are blocked by them."""
    shim, file, _ = made_shim(tmp_path)
    shim.set(Faults(sync_seconds=3600.0))
    program = "import os, sys\nwith open(sys.argv[1]) as file:\n print('in'); os.fsync(file.fileno()); print('out')"
    command = [sys.executable, "-S", "-u", "-c", program, str(file)]
    with subprocess.Popen(command, env=dict(shim.environment), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        waits = select.select([process.stdout], [], [], 0.3)[0] == []
        shim.set()

        assert process.stdout.readline() == "out\n"
        assert waits


def test_a_full_disk_takes_only_what_needs_no_room(tmp_path: Path) -> None:
    """The difference determines what a database can still do on it."""
    shim, file, other = made_shim(tmp_path)
    shim.set(Faults(is_full=True))
    program = """
for path, offset, size in ((sys.argv[1], 0, 10), (sys.argv[1], 0, 100_000), (sys.argv[2], 0, 100_000)):
    descriptor = os.open(path, os.O_WRONLY)
    try:
        print(os.pwrite(descriptor, bytes(size), offset))
    except OSError as error:
        print(error.errno)
"""

    assert run(shim, program, file, other).split() == ["10", "28", "100000"]


def test_the_time_of_day_is_wrong_and_intervals_are_right(tmp_path: Path) -> None:
    """A change of the clock affects the time of day, and never intervals."""
    shim, _, _ = made_shim(tmp_path)
    program = "print(time.time() // 1000, time.monotonic() // 1000)"
    right = [float(number) for number in run(shim, program).split()]
    shim.set(Faults(clock_offset_seconds=-86_400_000))
    wrong = [float(number) for number in run(shim, program).split()]

    assert -86_402 < wrong[0] - right[0] < -86_398
    assert 0 <= wrong[1] - right[1] < 2
