"""Starts a machine with systemd and its own processes, mounts and control groups on a copy of this machine's root."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dev.checkout import ROOT
from dev.embedded import child_process
from tests.support.requirements import SYSTEMD
from tests.support.servers.container_image import BASE_PATH, PASSED_VARIABLES
from tests.test_architecture import FOLDERS

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
MASKED_UNITS = ("systemd-sysctl", "systemd-modules-load", "systemd-binfmt", "systemd-udevd", "systemd-udev-trigger")
"""The units that would change the kernel, which this machine shares with other systems."""
TARGET_UNIT = "[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"


class SystemdMachine:
    """A machine with the checkout in /opt/sak-history, and folders of this machine under other names.

    It uses the network of this machine. Everything else is deleted with its first process.
    """

    def __init__(self, folder: Path, volumes: Mapping[str, str]) -> None:
        self._folder = folder
        self._volumes = volumes
        self._outer: subprocess.Popen[bytes] | None = None
        self._first = ""

    def start(self) -> None:
        """Return when systemd accepts commands. Fails with the complete output if it never does."""
        (self._folder / "root").mkdir()
        script = self._folder / "boot.sh"
        script.write_text("\n".join(self._boot_script()))
        log = self._folder / "boot.log"
        with log.open("wb") as output:
            command = ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount", "--cgroup", "/bin/sh", "-eu"]
            self._outer = outer = child_process.start([*command, str(script)], output, environment={"PATH": BASE_PATH})
        child_process.wait_until(lambda: self._is_running() or outer.poll() is not None, 60)
        assert self._is_running(), log.read_text()

    def stop(self) -> None:
        if self._outer:
            child_process.kill_group(self._outer)

    def run(self, *command: str) -> tuple[int, str]:
        """Return the output of a command that root runs on the machine."""
        outside = {name: value for name, value in os.environ.items() if PASSED_VARIABLES.match(name)}
        entered = ["/usr/bin/nsenter", "-t", self._first, "--mount", "--pid", "--cgroup", "--root", "--wd"]
        done = subprocess.run(
            [*entered, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**outside, "PATH": BASE_PATH, "SYSTEMD_PAGER": ""},
            text=True,
            check=False,
            timeout=400,
        )
        return done.returncode, done.stdout.strip()

    def _is_running(self) -> bool:
        assert self._outer
        if not self._first:
            children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
            self._first = next(
                (pid for pid in children if child_process.command_line(int(pid)).startswith(str(SYSTEMD))), ""
            )
        return bool(self._first) and self.run("systemctl", "is-system-running")[1] in {"running", "degraded"}

    def _boot_script(self) -> list[str]:
        base, root = self._folder / "root", self._folder / "root" / "r"
        lines = ["mount --make-rprivate /", f"mount -t tmpfs -o mode=0755 tmpfs {base}", f"cd {base}", "mkdir r u w"]
        lines += [f"mount -t overlay overlay -o lowerdir=/,upperdir={base}/u,workdir={base}/w {root}", f"cd {root}"]
        lines += ["mkdir -p opt/sak-history/deploy old"]
        lines += [f"cp -R {ROOT}/{name} opt/sak-history/" for name in FOLDERS]
        lines += [f"cp -R {ROOT}/deploy/systemd opt/sak-history/deploy/", f"cp {ROOT}/*.lock opt/sak-history/"]
        if (python := Path(sys.base_prefix)) != Path("/usr"):
            lines += [f"mount --bind {python} usr/local"]
        lines += [f"ln -sfn /dev/null etc/systemd/system/{name}.service" for name in MASKED_UNITS]
        lines += [f"cat >etc/systemd/system/trial.target <<'END'\n{TARGET_UNIT}END"]
        for name, folder in self._volumes.items():
            lines += [f"mkdir -p .{name}", f"mount --bind {folder} .{name}"]
        lines += ["mount -t proc proc proc", "mount --bind proc/sys proc/sys", "mount -o remount,bind,ro proc/sys"]
        lines += ["mount -t sysfs -o ro sysfs sys", "mount -t cgroup2 cgroup2 sys/fs/cgroup"]
        lines += ["mount -t tmpfs -o mode=0755 tmpfs dev", "mkdir dev/pts dev/shm", "mount -t tmpfs tmpfs dev/shm"]
        lines += [f": >dev/{name}; mount --bind /dev/{name} dev/{name}" for name in DEVICES]
        lines += ["mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts", "ln -s pts/ptmx dev/ptmx"]
        lines += ["ln -s /proc/self/fd dev/fd", "mount -t tmpfs -o mode=0755 tmpfs run", "mount -t tmpfs tmpfs tmp"]
        lines += ["pivot_root . old", "umount -l /old"]
        return [*lines, f"exec env -i container=trial {SYSTEMD} --system --unit=trial.target --show-status=false\n"]
