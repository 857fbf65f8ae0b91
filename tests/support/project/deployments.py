"""Reads the declaration of each process from the files of every platform, into one data structure."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from dev.checkout import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT_FILES = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


@dataclass(frozen=True, slots=True)
class DeclaredProcess:
    """A process as one platform declares it."""

    source: str
    command: tuple[str, ...]
    """For example, `python -m store migrate` in words."""
    environment: Mapping[str, str]
    """The variables without those of the image. A value that only the platform knows is empty."""
    probes: tuple[str, ...] = ()
    """The paths of the platform's health checks."""
    ports: tuple[int, ...] = ()
    """The ports on which the platform expects the process to listen."""

    @property
    def module(self) -> str:
        return self.command[2]


def all_processes() -> list[DeclaredProcess]:
    readers = (compose, kubernetes, render, fly, railway, heroku, systemd, procfile)
    return [process for reader in readers for process in reader()]


def load_yaml(path: str) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load((ROOT / path).read_text())


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object in deploy/kubernetes with its file, except for those that only Kustomize reads."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            for each in yaml.safe_load_all(path.read_text()):
                yield str(path.relative_to(ROOT)), cast("dict[str, Any]", each)


def present_values(mapping: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return the values that are present."""
    return tuple(mapping[name] for name in names if name in mapping)


def compose() -> Iterator[DeclaredProcess]:
    for name, service in load_yaml("compose.yaml")["services"].items():
        if "build" in service:
            ports = tuple(int(port.rpartition(":")[2]) for port in service.get("ports", ()))
            yield DeclaredProcess(
                f"compose.yaml: {name}", tuple(service["command"]), service["environment"], ports=ports
            )


def kubernetes() -> Iterator[DeclaredProcess]:
    for where, each in manifests():
        template = each.get("spec", {}).get("template", {})
        for container in template.get("spec", {}).get("containers", ()):
            ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
            asked = [container[name]["httpGet"] for name in container if name.endswith("Probe")]
            yield DeclaredProcess(
                where,
                tuple(container["command"]),
                {one["name"]: one.get("value", "") for one in container["env"]},
                tuple(probe["path"] for probe in asked),
                (*ports.values(), *(ports[probe["port"]] for probe in asked)),
            )


def render() -> Iterator[DeclaredProcess]:
    for service in load_yaml("render.yaml")["services"]:
        if "dockerCommand" in service:
            said = {one["key"]: one.get("value", "") for one in service["envVars"]}
            probes = present_values(service, "healthCheckPath")
            for command in present_values(service, "dockerCommand", "preDeployCommand"):
                yield DeclaredProcess(f"render.yaml: {service['name']}", tuple(shlex.split(command)), said, probes)


def fly() -> Iterator[DeclaredProcess]:
    """Read fly.toml. Secrets belong to an app, so every group of machines has all of them."""
    app = tomllib.loads((ROOT / "fly.toml").read_text())
    secrets: dict[str, str] = dict.fromkeys(
        ("DATABASE_URL", "REDIS_URL", "WEBHOOK_SECRETS", "API_TOKEN", "FORGET_KEY"), ""
    )
    http, services, checks = app["http_service"], app["services"], app["checks"].values()
    for group, command in app["processes"].items():
        probes = [check["path"] for check in http["checks"] if group in http["processes"]]
        probes += [check["path"] for one in services if group in one["processes"] for check in one["http_checks"]]
        probes += [check["path"] for check in checks if group in check["processes"]]
        ports = [one["internal_port"] for one in (http, *services) if group in one["processes"]]
        ports += [one["port"] for one in (*checks, *app["metrics"]) if group in one["processes"]]
        probes += [one["path"] for one in app["metrics"] if group in one["processes"]]
        yield DeclaredProcess(
            f"fly.toml: {group}", tuple(command.split()), {**app["env"], **secrets}, tuple(probes), tuple(ports)
        )
    yield DeclaredProcess("fly.toml: release", tuple(app["deploy"]["release_command"].split()), secrets)


def split_assignments(words: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a command and the variables that are assigned before it."""
    start = next(index for index, word in enumerate(words) if "=" not in word)
    return tuple(words[start:]), dict(word.split("=", 1) for word in words[:start])


def railway() -> Iterator[DeclaredProcess]:
    """Read the files of Railway. Its variables are set in Railway (docs/deploy.md), not in the files."""
    for path in sorted((ROOT / "deploy" / "railway").glob("*.json")):
        said = json.loads(path.read_text())["deploy"]
        probes = present_values(said, "healthcheckPath")
        for command in (said["startCommand"], *said.get("preDeployCommand", ())):
            words, environment = split_assignments(shlex.split(command.removeprefix("env ")))
            yield DeclaredProcess(f"deploy/railway/{path.name}", words, environment, probes)


def heroku() -> Iterator[DeclaredProcess]:
    manifest = load_yaml("heroku.yml")
    said = [manifest["run"]["web"], *manifest["run"]["worker"]["command"], *manifest["release"]["command"]]
    for command in said:
        words, environment = split_assignments(
            command.replace("exec ", "").replace("${PROCESS:-ingest}", "ingest").split()
        )
        yield DeclaredProcess("heroku.yml", words, environment)


def systemd() -> Iterator[DeclaredProcess]:
    for path in UNIT_FILES:
        text = path.read_text()
        command = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0].split()
        said = dict(
            pair.split("=", 1)
            for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
            for pair in line.split()
        )
        yield DeclaredProcess(f"deploy/systemd/{path.name}", ("python", *command[1:]), said)


def procfile() -> Iterator[DeclaredProcess]:
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        yield DeclaredProcess(f"Procfile: {name}", tuple(command.removeprefix(" exec ").split()), {})


def valkey_settings() -> dict[str, str]:
    """Return the settings that compose.yaml gives to Valkey."""
    words = load_yaml("compose.yaml")["services"]["valkey"]["command"][1:]
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def postgres_settings() -> dict[str, str]:
    """Return the settings that compose.yaml gives to PostgreSQL."""
    words = load_yaml("compose.yaml")["services"]["postgres"]["command"][1:]
    assert set(words[::2]) == {"-c"}
    return dict(setting.split("=", 1) for setting in words[1::2])
