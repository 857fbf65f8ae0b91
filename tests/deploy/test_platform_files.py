"""Tests the configuration files of hosting platforms against the code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import api.settings
import ingest.settings
import store.__main__
import worker.settings
from dev.checkout import ROOT
from tests.support.project import deployments
from tests.support.project.deployments import DeclaredProcess
from tests.support.project.repository import TABLE_ROW
from worker.metrics.worker import WorkerMetrics

EVERYWHERE = deployments.all_processes()
NOT_OURS = {"PATH", "PYTHONUTF8", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
"""Variables for Python and the shell, which our code does not read."""
PAGES = {"/healthz", "/readyz", "/metrics"}
"""The paths that every process serves. tests/deploy/test_procfile.py requests all three from each."""
PORTS = {"ingest": 3000, "api": 3001, "worker": 3003}
SAID = {
    "DATABASE_URL": "postgresql://sak@127.0.0.1/sak",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "WEBHOOK_SECRETS": "made-up",
    "API_TOKEN": "made-up-token-0123456789",
    "API_HTTPS": "1",
    "SAK_BASE_URL": "https://sak.example/api/v1",
}
"""Placeholders for values that only the platform knows."""
SETTINGS: dict[str, Any] = {
    "ingest": ingest.settings.read,
    "worker": worker.settings.Settings.from_environ,
    "api": api.settings.Settings.from_environ,
}
COMPLETE = [one for one in EVERYWHERE if one.environment.keys() & SAID.keys() - {"API_HTTPS"}]
"""The platforms whose files name all variables of a process. For others, some variables are set elsewhere."""


def ids(one: DeclaredProcess) -> str:
    return f"{one.source}: {' '.join(one.command[2:])}"


def test_there_is_every_process_on_every_platform() -> None:
    """The other tests here depend on the result of `declared`."""
    found = {(one.source.partition(":")[0].removesuffix(".json"), one.module) for one in EVERYWHERE}

    for platform in ("compose.yaml", "render.yaml", "fly.toml"):
        assert {module for where, module in found if where == platform} == {"ingest", "worker", "api", "store"}
    for folder in ("deploy/kubernetes", "deploy/systemd", "deploy/railway"):
        assert {module for where, module in found if where.startswith(folder)} == {"ingest", "worker", "api", "store"}
    assert {module for where, module in found if where == "heroku.yml"} == {"ingest", "worker", "store"}
    assert {module for where, module in found if where == "Procfile"} == {"ingest", "worker", "api"}


@pytest.mark.parametrize("one", EVERYWHERE, ids=ids)
def test_every_started_module_exists(one: DeclaredProcess) -> None:
    """Otherwise, the next deployment would discover that a module or command was renamed."""
    assert one.command[:2] == ("python", "-m")
    assert (ROOT / one.module / "__main__.py").exists()
    assert one.command[3:] == () or one.command[3] in {command.name for command in store.__main__.COMMANDS}


@pytest.mark.parametrize("one", EVERYWHERE, ids=ids)
def test_every_variable_that_is_set_is_one_that_is_read(one: DeclaredProcess) -> None:
    """A misspelt variable has no effect, and nobody notices until the default causes a problem."""
    rows = TABLE_ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    told = {name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)}

    assert one.environment.keys() - told - NOT_OURS == set()


@pytest.mark.parametrize("one", [one for one in COMPLETE if one.module in SETTINGS], ids=ids)
def test_a_process_is_given_what_it_refuses_to_start_without(one: DeclaredProcess) -> None:
    given = {name: SAID.get(name, value) for name, value in one.environment.items()}

    assert SETTINGS[one.module](given)


@pytest.mark.parametrize("one", [one for one in COMPLETE if not one.source.startswith("fly")], ids=ids)
def test_a_process_is_given_no_secret_of_another(one: DeclaredProcess) -> None:
    """An attacker who breaks into ingest must not gain access to PostgreSQL. Fly does not support this separation."""
    foreign = {
        "ingest": {"DATABASE_URL", "FORGET_KEY", "API_TOKEN", "SAK_JWT", "SAK_API_KEY"},
        "worker": {"WEBHOOK_SECRETS", "API_TOKEN", "SAK_JWT", "SAK_API_KEY"},
        "api": {"WEBHOOK_SECRETS", "REDIS_URL", "FORGET_KEY"},
        "store": {"WEBHOOK_SECRETS", "API_TOKEN", "SAK_JWT", "SAK_API_KEY"},
    }

    assert one.environment.keys() & foreign[one.module] == set()


@pytest.mark.parametrize("one", [one for one in EVERYWHERE if not one.source.startswith("Procfile")], ids=ids)
def test_cookies_are_secure_wherever_a_proxy_ends_tls(one: DeclaredProcess) -> None:
    """The api cannot detect this. A single command of Heroku starts ingest or api."""
    if one.module == "api" or (one.source == "heroku.yml" and one.module == "ingest"):
        assert one.environment.get("API_HTTPS") in {"1", "${API_HTTPS:-1}"}


@pytest.mark.parametrize("one", [one for one in EVERYWHERE if one.probes or one.ports], ids=ids)
def test_platforms_ask_where_somebody_answers(one: DeclaredProcess) -> None:
    assert set(one.probes) <= PAGES
    assert set(one.ports) <= {PORTS.get(one.module)}


def test_the_ports_are_those_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert {name: int(port) for name, port in re.findall(r"(\w+)_PORT=(\d+)", text)} == {
        name.upper(): port for name, port in PORTS.items()
    }
    assert re.findall(r"^EXPOSE (.*)$", text, re.MULTILINE) == [" ".join(map(str, PORTS.values()))]


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.compose-spec", "compose.yaml"), ("vendor.github-workflows", ".github/workflows/test.yml")],
)
def test_a_file_is_valid_by_its_specification(schema: str, path: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_runs_the_same_command_as_a_laptop_and_actions_of_a_fixed_commit() -> None:
    """A tag can be moved to other code, which would then run with the repository's token."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text()

    assert re.findall(r"run: (\.ci/\w+)$", text, re.MULTILINE) == [".ci/run"]
    assert [action for action in re.findall(r"uses: (\S+)", text) if not re.search(r"@[0-9a-f]{40}$", action)] == []


KNOWN = [(where, each) for where, each in deployments.manifests() if not each["apiVersion"].startswith("keda")]


@pytest.mark.parametrize(
    ("where", "each"), KNOWN, ids=[f"{each['kind']}/{each['metadata']['name']}" for _, each in KNOWN]
)
def test_a_manifest_is_valid(where: str, each: dict[str, Any]) -> None:
    """The manifests are checked against Kubernetes' own schemas, and may not contain unknown fields."""
    assert kubernetes_validate.validate(each, "1.37", strict=True), where


def test_kustomize_takes_every_manifest() -> None:
    """A file that is not listed is never applied."""
    for folder in (deployments.KUBERNETES, deployments.KUBERNETES / "keda"):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        assert sorted(listed) == sorted(
            path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"
        )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here, whose kustomize this asks")
def test_kustomize_builds_with_and_without_keda(tmp_path: Path) -> None:
    """A label or patch that matches nothing fails here instead of in the cluster."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(deployments.KUBERNETES, copy)
    plain = built(copy)
    with (copy / "kustomization.yaml").open("a") as more:
        more.write("components: [keda]\n")
    scaled = built(copy)

    assert {kind for kind, _ in scaled.items()} - set(plain) == {"ScaledObject/worker"}
    assert plain["Deployment/worker"]["spec"]["replicas"] == 2
    assert "replicas" not in scaled["Deployment/worker"]["spec"]
    assert {each["metadata"].get("namespace") for name, each in plain.items() if name != "Namespace/sak-history"} == {
        "sak-history"
    }


def built(folder: Path) -> dict[str, Any]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(done.stdout)}


def test_selectors_find_pods() -> None:
    """A budget, policy or service that selects nothing may remain unnoticed for years."""
    objects = [each for _, each in deployments.manifests()]
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in objects if "template" in each.get("spec", {})]
    selectors = [
        (f"{each['kind']}/{each['metadata']['name']}", selector.get("matchLabels", selector))
        for each in objects
        for name in ("selector", "podSelector")
        if (selector := each.get("spec", {}).get(name))
    ]

    assert len(selectors) > 10
    assert [name for name, wanted in selectors if not any(wanted.items() <= pod.items() for pod in pods)] == []


def test_keda_asks_for_a_metric_that_workers_have() -> None:
    (scaled,) = [each for _, each in deployments.manifests() if each["kind"] == "ScaledObject"]
    names = {metric.name for metric in WorkerMetrics().registry.collect()}

    assert re.findall(r"\bsak_\w+", scaled["spec"]["triggers"][0]["metadata"]["query"]) == ["sak_stream_oldest_seconds"]
    assert "sak_stream_oldest_seconds" in names
    assert scaled["spec"]["scaleTargetRef"]["name"] == "worker"
    assert {type(value) for value in scaled["spec"]["triggers"][0]["metadata"].values()} == {str}


def test_images_are_named_with_a_tag() -> None:
    """`latest` is another program every week."""
    text = "\n".join((ROOT / name).read_text() for name in ("Dockerfile", "compose.yaml"))
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE) + re.findall(r"^ +image: (\S+)", text, re.MULTILINE)

    assert len(images) == 5
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []
