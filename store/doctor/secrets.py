"""Checks that secrets exist, are hard to guess and are readable by their owner only. Prints none of them."""

from collections.abc import Mapping
from pathlib import Path

from store.doctor import finding
from store.doctor.finding import Finding
from store.erasure import suppressions
from store.erasure.key_store import SuppressionKeyError, SuppressionKeyStore
from store.erasure.suppressions import SuppressionCache
from store.postgres.connections import Connection

_MIN_LENGTH = 24
_MIN_DISTINCT_CHARACTERS = 10
_SECRET_FILES = ("webhook-secret", "api-token", "database-url", "redis-url", "forget-key")
"""Files that ./run writes to DATA_DIR."""


def configured(environ: Mapping[str, str]) -> list[Finding]:
    """The webhook secrets, the API token, and whether unsigned webhooks are accepted."""
    data_dir = Path(environ.get("DATA_DIR") or "var")
    unsigned = environ.get("WEBHOOK_ALLOW_UNSIGNED", "").strip().lower() in {"1", "true", "yes"}
    webhook = [part.strip() for part in (environ.get("WEBHOOK_SECRETS") or "").split(",") if part.strip()]
    webhook = webhook or _read_secret_file(data_dir / "webhook-secret")
    token = [environ.get("API_TOKEN", "").strip()] if environ.get("API_TOKEN", "").strip() else []
    token = token or _read_secret_file(data_dir / "api-token")
    findings = [
        _strength_finding(
            "secrets.webhook",
            "WEBHOOK_SECRETS",
            webhook,
            "Set it to the secret that SAK returned at registration (`python -m api sak register --write-env .env`).",
        ),
        _strength_finding("secrets.api", "API_TOKEN", token, "Set it to the output of `openssl rand -hex 32`."),
    ]
    if unsigned:
        message = "WEBHOOK_ALLOW_UNSIGNED is on: anybody who can reach ingest can write messages."
        remedy = "Remove it once SAK signs with a secret of WEBHOOK_SECRETS."
        findings.append(finding.warning("secrets.unsigned", message, remedy))
        if not webhook:
            findings = [each for each in findings if each.name != "secrets.webhook"]
    else:
        findings.append(finding.ok("secrets.unsigned", "Unsigned webhooks are refused."))
    return findings


def file_modes(environ: Mapping[str, str]) -> list[Finding]:
    """Files with secrets that other users of this machine can read."""
    data_dir = Path(environ.get("DATA_DIR") or "var")
    files = [*(data_dir / name for name in _SECRET_FILES), Path(".env")]
    open_ = [str(path) for path in files if path.is_file() and path.stat().st_mode & 0o077]
    if open_:
        remedy = f"chmod 600 {' '.join(open_)}"
        message = f"Other users of this machine can read the secrets in {', '.join(open_)}."
        return [finding.warning("secrets.files", message, remedy)]
    return [finding.ok("secrets.files", "No file with secrets is readable by other users.")]


def suppression_key(connection: Connection, environ: Mapping[str, str]) -> list[Finding]:
    """Without the key nothing is written, because it identifies the events that must not be stored."""
    name = "secrets.suppression_key"
    try:
        suppressions.check_key(connection, SuppressionCache(SuppressionKeyStore.from_environ(environ).find_key))
    except SuppressionKeyError as error:
        remedy = "Give the key to every process that writes (docs/keeping.md). No backup of the database contains it."
        return [finding.broken(name, str(error), remedy)]
    return [finding.ok(name, "The suppression key is here, or no person was ever erased.")]


def _strength_finding(name: str, variable: str, secrets: list[str], remedy: str) -> Finding:
    if not secrets:
        return finding.broken(name, f"{variable} is not set, and DATA_DIR contains none.", remedy)
    if any(len(secret) < _MIN_LENGTH or len(set(secret)) < _MIN_DISTINCT_CHARACTERS for secret in secrets):
        return finding.warning(
            name,
            f"{variable} contains a secret that is short or has few distinct characters, so it can be guessed.",
            remedy,
        )
    return finding.ok(name, f"{variable} is set ({len(secrets)}).")


def _read_secret_file(path: Path) -> list[str]:
    """The secrets in a file; none if it does not exist or is not readable."""
    try:
        return [part.strip() for part in path.read_text(encoding="utf-8").split(",") if part.strip()]
    except OSError:
        return []
