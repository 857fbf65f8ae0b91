from pathlib import Path

import pytest

from dev.errors import StartError
from dev.machine_size import MachineSize
from dev.supervisor import listeners, secret_files
from dev.supervisor.settings import SupervisorSettings
from telemetry.errors import SettingsError


def test_a_variable_that_is_empty_counts_as_not_set() -> None:
    """Hosting services and compose files set variables to an empty value to unset them."""
    names = ["DATA_DIR", "HOST", "INGEST_PORT", "API_PORT", "WORKER_PORT", "WORKERS", "DATABASE_URL", "REDIS_URL"]
    empty = dict.fromkeys(names, "")

    assert SupervisorSettings.from_environ(empty) == SupervisorSettings.from_environ({})


def test_as_many_workers_as_cores_are_started_and_at_most_four() -> None:
    """One worker leaves a core idle; more than there are cores gain nothing."""
    cores = MachineSize.read().cores

    assert SupervisorSettings.from_environ({}).worker_count == min(cores, 4)
    assert SupervisorSettings.from_environ({"WORKERS": "7"}).worker_count == 7


@pytest.mark.parametrize("name", ["INGEST_PORT", "API_PORT", "WORKER_PORT", "GATEWAY_PORT", "WORKERS"])
@pytest.mark.parametrize("text", ["many", "-1", "65536", "1.5", "٣"])
def test_a_number_that_is_none_is_told_with_its_variable(name: str, text: str) -> None:
    with pytest.raises(StartError, match=f"{name} must be a number"):
        SupervisorSettings.from_environ({name: text})


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://app:private@part@db/history"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://db/history", "DIRECT_DATABASE_URL": "private"}, "DIRECT_DATABASE_URL"),
        ({"REDIS_URL": "private"}, "REDIS_URL"),
    ],
)
def test_a_url_that_is_none_is_one_sentence_before_anything_starts(environ: dict[str, str], named: str) -> None:
    with pytest.raises((StartError, SettingsError), match=f"^{named} must look like") as error:
        SupervisorSettings.from_environ(environ)
    assert "private" not in str(error.value)


def test_passwords_are_not_part_of_how_settings_look() -> None:
    """Settings appear in logs and tracebacks."""
    settings = SupervisorSettings.from_environ(
        dict.fromkeys(("WEBHOOK_SECRETS", "API_TOKEN"), "hidden")
        | {"DATABASE_URL": "postgresql://app:hidden@db/history", "REDIS_URL": "redis://:hidden@redis"}
    )

    assert "hidden" not in repr(settings)


def test_a_secret_is_made_once_and_then_kept(tmp_path: Path) -> None:
    """The gateway signs with the first secret. With a new one, every webhook would be refused."""
    first = secret_files.read_or_create(tmp_path / "secret")

    assert secret_files.read_or_create(tmp_path / "secret") == first
    assert len(first) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    """A full disk can leave an empty file, and an empty secret would accept every webhook."""
    (tmp_path / "secret").touch()

    with pytest.raises(StartError, match="is empty"):
        secret_files.read_or_create(tmp_path / "secret")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_an_address_is_shown_as_a_browser_takes_it(host: str, url: str) -> None:
    assert listeners.browser_url(host, 80) == url


def test_a_host_that_is_not_ours_is_told() -> None:
    """192.0.2.0/24 is reserved for documentation, so no machine has such an address."""
    with pytest.raises(StartError, match=r"Cannot listen on 192\.0\.2\.1 port 0"):
        listeners.open_listener("192.0.2.1", 0, "API_PORT")
