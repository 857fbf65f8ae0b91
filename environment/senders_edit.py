"""Adds senders to `senders.toml` and removes them. The rest of the file stays unchanged."""

import json
import re
from pathlib import Path

from environment import private_file, senders_file
from environment.senders_file import Sender
from telemetry.errors import SettingsError


def add(file: Path, sender: Sender) -> None:
    """Append the sender. Raises OSError, and SettingsError if the file is invalid or has the name already."""
    if sender.name in senders_file.read(file):
        raise SettingsError(f"{file} has a sender {sender.name} already; remove it first.")
    written = _read(file)
    separator = "" if not written else "\n" if written.endswith("\n") else "\n\n"
    text = f"{written}{separator}{_section(sender)}"
    if senders_file.parse(text, str(file)).get(sender.name) != sender:
        raise SettingsError(f"{file}: a value of {sender.name} cannot be written as TOML; edit the file.")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_file.replace(file, text)


def remove(file: Path, name: str) -> None:
    """Remove the sender's section. Raises OSError, and SettingsError if the file is invalid or lacks the name."""
    senders = senders_file.read(file)
    if name not in senders:
        raise SettingsError(f"{file} has no sender {name}.")
    lines = _read(file).splitlines(keepends=True)
    header = re.compile(rf"""\s*\[\s*["']?{re.escape(name)}["']?\s*\]\s*(#.*)?""")
    start = next((at for at, line in enumerate(lines) if header.fullmatch(line.rstrip())), len(lines))
    end = next((at for at in range(start + 1, len(lines)) if lines[at].startswith("[")), len(lines))
    text = "".join(lines[:start] + lines[end:])
    if senders_file.parse(text, str(file)) != {key: sender for key, sender in senders.items() if key != name}:
        raise SettingsError(f"{file}: the section of {name} could not be found for certain; edit the file.")
    private_file.replace(file, text)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig") if file.exists() else ""


def _section(sender: Sender) -> str:
    values = {
        "kind": sender.kind,
        "secrets": list(sender.secrets),
        "verify_token": sender.verify_token,
        "base_url": sender.base_url,
        "api_key": sender.api_key,
        "account": sender.account,
    }
    # Strings in JSON are also strings in TOML.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "\n".join((f"[{json.dumps(sender.name)}]" if "." in sender.name else f"[{sender.name}]", *lines, ""))
