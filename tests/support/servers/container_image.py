"""Runs the lines of the Dockerfile without a container engine, in mount namespaces on a copy of this machine's root.

This machine with its Python replaces the base image. Everything else comes from the file.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from dev.checkout import ROOT
from dev.embedded import child_process

BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_VARIABLES = re.compile(r"(PIP_|SSL_|REQUESTS_CA|https?_proxy|no_proxy)", re.IGNORECASE)
"""The variables by which this machine reaches its packages. A container engine would pass them as build arguments."""
PYTHON_PREFIX = Path(sys.base_prefix)
"""The prefix of this machine's Python, which replaces the one that the base image has in /usr/local."""


@dataclass
class BuildStage:
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def last_value(self, instruction: str) -> str:
        return [said for name, said in self.instructions if name == instruction][-1]

    def environment(self, before: int | None = None) -> dict[str, str]:
        """Return the variables that ENV sets in the stage, or before one of its steps."""
        words = [word for name, said in self.instructions[:before] if name == "ENV" for word in shlex.split(said)]
        return {"PATH": BASE_PATH} | dict(word.split("=", 1) for word in words)

    @property
    def command(self) -> list[str]:
        return json.loads(self.last_value("CMD"))

    @property
    def healthcheck(self) -> list[str]:
        return json.loads(self.last_value("HEALTHCHECK").partition(" CMD ")[2])


def parse_dockerfile(text: str) -> list[BuildStage]:
    """Return the stages of a Dockerfile that has one instruction per line."""
    found: list[BuildStage] = []
    arguments: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        assert not line.endswith("\\"), "one instruction a line, or this reader has to learn more"
        instruction, _, said = line.partition(" ")
        if instruction == "FROM":
            found.append(BuildStage(said.partition(" AS ")[2]))
            arguments = {}
        elif instruction == "ARG":
            name, _, default = said.partition("=")
            arguments[name] = default
        else:
            found[-1].instructions.append((instruction, Template(said).safe_substitute(arguments)))
    return found


def copy_build_context(to: Path) -> None:
    """Copy the files that .dockerignore admits, with the permissions that a restrictive umask gives them."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert lines[-1] == "**/__pycache__"
    for name in (line[1:] for line in lines[1:-1]):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    for path in to.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


class ContainerImage:
    """An image, built once. `start` and `run` create containers, which end with the process that holds the mounts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages = parse_dockerfile((ROOT / "Dockerfile").read_text())
        self.final = self._stages[-1]
        self._root = folder / "layers" / str(len(self._stages) - 1)
        self._holder: subprocess.Popen[bytes] | None = None

    def build(self) -> None:
        """Run every stage. Raises an error with the complete output if a step fails."""
        copy_build_context(self._folder / "context")
        (self._folder / "layers").mkdir()
        script = self._folder / "build.sh"
        script.write_text("\n".join(self._build_script()))
        log = self._folder / "build.log"
        environment = {"PATH": BASE_PATH} | {k: v for k, v in os.environ.items() if PASSED_VARIABLES.match(k)}
        with log.open("wb") as output:
            command = ["/usr/bin/unshare", "--mount", "/bin/sh", "-eu", str(script)]
            self._holder = child_process.start(command, output, environment=environment)
        done, holder = self._folder / "built", self._holder
        child_process.wait_until(lambda: done.exists() or holder.poll() is not None, 400)
        assert done.exists(), log.read_text()

    def remove(self) -> None:
        if self._holder:
            child_process.kill_group(self._holder)

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], volumes: Mapping[str, str]
    ) -> tuple[int, str]:
        """Return the exit code and the output of a container that ends by itself."""
        done = subprocess.run(
            self._container_command(command, environment, volumes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], volumes: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a container that keeps running. A signal to it reaches its process, as with a container engine."""
        with log.open("wb") as output:
            return child_process.start(
                self._container_command(command, environment, volumes), output, environment={"PATH": BASE_PATH}
            )

    def _container_command(
        self, command: Sequence[str], environment: Mapping[str, str], volumes: Mapping[str, str]
    ) -> list[str]:
        """Return a command that runs in the container.

        The root is read-only, /tmp is in memory, and the process has the image's user, no capabilities and only the
        given environment.
        """
        assert self._holder
        mounts = [f"mount -t tmpfs tmpfs {self._root}/tmp"]
        mounts += [f"mount --bind {shlex.quote(there)} {self._root}{here}" for here, there in volumes.items()]
        said = [f"{name}={value}" for name, value in {**self.final.environment(), **environment}.items()]
        uid, _, gid = self.final.last_value("USER").partition(":")
        inner = ["chroot", str(self._root), "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups"]
        inner += ["--no-new-privs", "--bounding-set=-all"]
        inner += ["env", "-i", "-C", self.final.last_value("WORKDIR"), *said, *command]
        script = " && ".join([*mounts, f"exec {shlex.join(inner)}"])
        holder = f"--mount=/proc/{self._holder.pid}/ns/mnt"
        return ["/usr/bin/nsenter", holder, "/usr/bin/unshare", "--mount", "/bin/sh", "-c", script]

    def _build_script(self) -> list[str]:
        layers = self._folder / "layers"
        # The upper layers are in memory, because the root of a container is an overlay and cannot hold upper layers.
        lines = [f"mount -t tmpfs -o mode=0755 tmpfs {layers}"]
        for number, stage in enumerate(self._stages):
            root = layers / str(number)
            lines += [f"mkdir {root} {root}.upper {root}.work"]
            lines += [f"mount -t overlay overlay -o lowerdir=/,upperdir={root}.upper,workdir={root}.work {root}"]
            lines += [f"mount --rbind /{name} {root}/{name}" for name in ("proc", "dev")]
            lines += [f"mkdir -p {root}/servers"]
            if Path("/usr") == PYTHON_PREFIX:
                lines += [f"ln -sfn ../../bin/python3 {root}/usr/local/bin/python"]
            else:
                lines += [f"mount --bind {PYTHON_PREFIX} {root}/usr/local"]
                # A shared libpython is searched where it was built.
                lines += [f"chmod a+x {root}{parent}" for parent in PYTHON_PREFIX.parents[:-1]]
            here = "/"
            for place, (instruction, said) in enumerate(stage.instructions):
                if instruction == "WORKDIR":
                    here = said
                    lines.append(f"mkdir -p {root}{here}")
                elif instruction == "COPY":
                    lines.append(self._copy_command(root, here, said))
                elif instruction == "RUN":
                    names = " ".join(shlex.quote(f"{k}={v}") for k, v in stage.environment(place).items())
                    lines.append(f"chroot {root} env -C {here} {names} /bin/sh -c {shlex.quote(said)}")
        last = f"mount -o remount,ro {self._root}"
        return [*lines, last, f": >{self._folder}/built", "exec sleep infinity"]

    def _copy_command(self, root: Path, here: str, said: str) -> str:
        *options, source, target = said.split()
        to = f"{root}{Path(here) / target}"
        if options:
            number = [stage.name for stage in self._stages].index(options[0].removeprefix("--from="))
            return f"mkdir -p {to} && cp -a {self._folder}/layers/{number}{source}/. {to}"
        place = f"{self._folder}/context/{source}"
        return f"cp -R {place}/. {to}" if source == "." else f"cp {place} {to}"
