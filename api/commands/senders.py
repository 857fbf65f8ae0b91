"""`python -m api senders …`: the gateways that post to `/webhooks/NAME`, which senders.toml lists."""

import argparse
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import requests

from api.commands import sender_steps
from environment import senders_edit, senders_file
from environment.sender_kinds import KINDS
from environment.senders_file import Sender

_TIMEOUT_SECONDS: Final = 5.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] - argparse names no public type
    """Add `senders list|add|check|remove|url` to a parser."""
    parser = subparsers.add_parser("senders", help="manage the gateways that post to /webhooks/NAME")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="list the senders")
    add = verbs.add_parser("add", help="add a sender to senders.toml and show how its gateway is set up")
    add.add_argument("name")
    add.add_argument("kind", choices=KINDS)
    add.add_argument("--secret", action="append", help="key, or 'Header: value'; may be repeated; default: a new one")
    add.add_argument("--verify-token", help="for Meta; default: a new one")
    add.add_argument("--base-url", help="where the gateway is called")
    add.add_argument("--api-key", help="the key for that")
    add.add_argument("--account", help="the phone number of its sessions")
    verbs.add_parser("check", help="check that ingest knows the sender and that its gateway answers").add_argument(
        "name"
    )
    verbs.add_parser("remove", help="remove a sender from senders.toml; its history remains").add_argument("name")
    verbs.add_parser("url", help="show the sender's URL and how its gateway is set up").add_argument("name")
    for verb in ("add", "check", "url"):
        verbs.choices[verb].add_argument(
            "--ingest", default="http://127.0.0.1:3000", help="address of ingest; default: %(default)s"
        )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Run a parsed command; returns its output. Raises SettingsError and OSError, and SystemExit with a message."""
    file = senders_file.path(environ)
    if arguments.verb == "add":
        sender = _new_sender(arguments, file)
        senders_edit.add(file, sender)
        return f"added to {file}\n{sender_steps.of(sender, _url(arguments, sender))}"
    if arguments.verb == "remove":
        senders_edit.remove(file, arguments.name)
        return f"removed {arguments.name}; delete the webhook at the gateway as well"
    known = senders_file.all_of(environ)
    if arguments.verb == "list":
        return "\n".join(map(_line, known.values())) or "there are no senders"
    if arguments.name not in known:
        raise SystemExit(f"api: there is no sender {arguments.name}; `senders list` shows them")
    sender = known[arguments.name]
    url = _url(arguments, sender)
    return sender_steps.of(sender, url) if arguments.verb == "url" else _check(sender, url)


def _new_sender(arguments: argparse.Namespace, file: Path) -> Sender:
    has_handshake = KINDS[arguments.kind].has_handshake
    values = {
        "kind": arguments.kind,
        "secrets": arguments.secret or [secrets.token_hex(32)],
        "verify_token": arguments.verify_token or (secrets.token_hex(16) if has_handshake else None),
        "base_url": arguments.base_url,
        "api_key": arguments.api_key,
        "account": arguments.account,
    }
    given = {key: value for key, value in values.items() if value is not None}
    return senders_file.sender(str(file), arguments.name, given)


def _url(arguments: argparse.Namespace, sender: Sender) -> str:
    return f"{arguments.ingest.rstrip('/')}/webhooks/{sender.name}"


def _line(sender: Sender) -> str:
    account = "account as reported" if sender.account is None else f"account {sender.account}"
    calls = "not called" if sender.base_url is None else sender.base_url
    return f"{sender.name}: {sender.kind}, {account}, {calls}, secrets: {len(sender.secrets)}"


def _check(sender: Sender, url: str) -> str:
    """A line for each test; raises SystemExit if one failed."""
    results = [_check_ingest(url)]
    if sender.base_url is not None:
        results.append(_check_gateway(sender.base_url))
    text = "\n".join(f"{'ok' if is_good else 'FAILED'}: {sentence}" for is_good, sentence in results)
    if not all(is_good for is_good, _ in results):
        raise SystemExit(text)
    return text


def _check_ingest(url: str) -> tuple[bool, str]:
    """Ingest answers 401 to an unsigned webhook of a sender that it knows, and 404 to one that it does not know."""
    try:
        status = requests.post(url, b"", timeout=_TIMEOUT_SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        return False, f"{url} does not answer ({type(error).__name__}): start ingest, or give its address by --ingest."
    if status == 401:
        return True, f"{url} knows the sender, and refuses an unsigned webhook."
    return False, f"{url} answers {status} instead of 401: does this ingest read the same senders.toml?"


def _check_gateway(base_url: str) -> tuple[bool, str]:
    try:
        status = requests.get(base_url, timeout=_TIMEOUT_SECONDS).status_code
    except requests.RequestException as error:
        return False, f"{base_url} does not answer ({type(error).__name__}): correct base_url, or start the gateway."
    return True, f"{base_url} answers (status {status})."
