"""Checks that secrets exist, are hard to guess and are readable only by their owner. Prints none of them."""

from collections.abc import Mapping
from pathlib import Path

from environment import secret_list
from store.doctor import finding
from store.doctor.finding import Finding
from store.erasure import suppressions
from store.erasure.key_store import SuppressionKeyError, SuppressionKeyStore
from store.erasure.suppressions import SuppressionCache
from store.postgres.connections import Connection

_SECRET_FILES = ("webhook-secret", "api-token", "database-url", "redis-url", "forget-key")
"""Files that ./run writes to DATA_DIR."""


def configured(environ: Mapping[str, str]) -> list[Finding]:
    """Check the webhook secrets and the API token, and whether unsigned webhooks are accepted."""
    data_dir = Path(environ.get("DATA_DIR") or "var")
    unsigned = environ.get("WEBHOOK_ALLOW_UNSIGNED", "").strip().lower() in {"1", "true", "yes"}
    webhook = secret_list.split(environ.get("WEBHOOK_SECRETS", ""))
    for path in (environ.get("WEBHOOK_SECRETS_FILE"), data_dir / "webhook-secret"):
        webhook = webhook or (_read_secret_file(Path(path)) if path else [])
    token = environ.get("API_TOKEN", "").strip()
    tokens = [token] if token else _read_secret_file(data_dir / "api-token")
    remedy = "Set it to the output of `openssl rand -hex 32`."
    findings = [_strength_finding("secrets.api", "API_TOKEN", tokens, data_dir, remedy)]
    if webhook or not unsigned:
        remedy = (
            "Set it to the secret that SAK returned at registration (`python -m api sak register --write-env .env`)."
        )
        findings.insert(0, _strength_finding("secrets.webhook", "WEBHOOK_SECRETS", webhook, data_dir, remedy))
    if not unsigned:
        return [*findings, finding.ok("secrets.unsigned", "Unsigned webhooks are refused.")]
    message = "WEBHOOK_ALLOW_UNSIGNED is on: anybody who can reach ingest can write messages."
    remedy = "Remove it once SAK signs with a secret of WEBHOOK_SECRETS."
    return [*findings, finding.warning("secrets.unsigned", message, remedy)]


def file_modes(environ: Mapping[str, str]) -> list[Finding]:
    """Check for files with secrets that other users of this machine can read."""
    data_dir = Path(environ.get("DATA_DIR") or "var")
    files = [*(data_dir / name for name in _SECRET_FILES), Path(".env")]
    readable = [str(path) for path in files if path.is_file() and path.stat().st_mode & 0o077]
    if readable:
        message = f"Other users of this machine can read the secrets in {', '.join(readable)}."
        return [finding.warning("secrets.files", message, f"chmod 600 {' '.join(readable)}")]
    return [finding.ok("secrets.files", "No file with secrets is readable by other users.")]


def suppression_key(connection: Connection, environ: Mapping[str, str]) -> list[Finding]:
    """Check that the suppression key is available. Without it, no process can store events."""
    name = "secrets.suppression_key"
    try:
        suppressions.check_key(connection, SuppressionCache(SuppressionKeyStore.from_environ(environ).find_key))
    except SuppressionKeyError as error:
        remedy = "Give the key to every process that writes (docs/keeping.md). No backup of the database contains it."
        return [finding.broken(name, str(error), remedy)]
    return [finding.ok(name, "The suppression key is here, or no person was ever erased.")]


def _strength_finding(name: str, variable: str, secrets: list[str], data_dir: Path, remedy: str) -> Finding:
    if not secrets:
        message = f"{variable} is not set, and DATA_DIR ({data_dir.absolute()}) contains none."
        return finding.broken(name, message, remedy)
    if any(len(secret) < 24 or len(set(secret)) < 10 for secret in secrets):
        message = f"{variable} contains a secret that is short or has few distinct characters, so it can be guessed."
        return finding.warning(name, message, remedy)
    return finding.ok(name, f"{variable} is set ({len(secrets)}).")


def _read_secret_file(path: Path) -> list[str]:
    """Return the secrets in a file, or none if it does not exist or cannot be read."""
    try:
        return secret_list.split(",".join(path.read_text(encoding="utf-8").split()))
    except OSError:
        return []
