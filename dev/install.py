"""Creates `.venv` and installs a lock file: `python3 dev/install.py LOCK STAMP`, with any Python and no packages.

The stamp is written last, so that an interrupted installation is repeated.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def main(lock_file_name: str, stamp: str) -> int:
    lock = ROOT / lock_file_name
    stamp_file = VENV / f"{lock_file_name}.stamp"
    if stamp_file.exists() and stamp_file.read_text().strip() == stamp and _environment_is_usable():
        return 0
    if not os.access(ROOT, os.W_OK) or (VENV.exists() and not os.access(VENV, os.W_OK)):
        print(f"{ROOT} belongs to another user, so nothing can be installed there: use a copy.", file=sys.stderr)
        return 1
    # The file is private, because everybody who can open a file can lock it.
    lock_descriptor = os.open(ROOT / ".venv.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(lock_descriptor, "r+b"):
        fcntl.flock(
            lock_descriptor, fcntl.LOCK_EX
        )  # two concurrent first starts: the second waits and finds everything done
        if stamp_file.exists() and stamp_file.read_text().strip() == stamp and _environment_is_usable():
            return 0
        start = time.monotonic()
        if not _environment_is_usable():
            _create_environment()
        count = sum("==" in line for line in lock.read_text().splitlines() if not line.startswith(" "))
        print(f"Installing {lock_file_name} into .venv, once: up to {count} packages", flush=True)
        if code := _pip_install(lock):
            return code
        stamp_file.write_text(stamp + "\n")
        print(f"Installed in {time.monotonic() - start:.0f} s", flush=True)
    return 0


def _environment_is_usable() -> bool:
    """Return whether the environment exists and its Python runs and has pip."""
    if not PYTHON.exists():
        return False
    check = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))"
    return subprocess.run([str(PYTHON), "-c", check], capture_output=True, check=False).returncode == 0


def _create_environment() -> None:
    print(f"Making .venv with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def _pip_install(lock: Path) -> int:
    """Run pip, showing each package as it comes, and all of pip's output only if it fails."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    environment = os.environ | {"PIP_USER": "0"}  # a user-wide setting that pip refuses inside an environment
    output: list[str] = []
    with subprocess.Popen(
        [*command, "--progress-bar", "off", "-r", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            output.append(line)
            if line.startswith(("Collecting ", "Installing collected")):
                print(f"  {line.strip().partition(' (from')[0][:80]}", flush=True)
    if pip.returncode:
        print("".join(output), file=sys.stderr)
        print("The packages could not be installed; pip says why above. Nothing else was changed.", file=sys.stderr)
    return pip.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
