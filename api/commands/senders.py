"""`python -m api senders …`: manages the gateways in senders.toml, which post to `/webhooks/NAME`."""

import argparse
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import requests

from api.commands import sender_registration, sender_steps
from api.commands.sender_registration import ActionResult
from api.gateway import errors
from environment import senders_edit, senders_file
from environment.sender_kinds import KINDS
from environment.senders_file import Sender
from store.model import lines

_WHY_BY_HAND: Final = (
    "the gateway cannot be called: that needs base_url and api_key in senders.toml, and of Meta the id of the WhatsApp "
    "Business account as --session. By hand:"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] - argparse names no public type
    """Add `senders list|add|register|move|check|remove|url` to a parser."""
    parser = subparsers.add_parser("senders", help="manage the gateways that post to /webhooks/NAME")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="list the senders")
    add = verbs.add_parser("add", help="add a sender to senders.toml, and make its gateway post here or show how")
    add.add_argument("name")
    add.add_argument("kind", choices=KINDS)
    add.add_argument("--secret", action="append", help="key, or 'Header: value'; may be repeated; default: a new one")
    add.add_argument("--verify-token", help="for Meta; default: a new one")
    add.add_argument("--base-url", help="the URL of the gateway")
    add.add_argument("--api-key", help="the API key of the gateway")
    add.add_argument("--account", help="the phone number of its sessions")
    for verb, summary in (
        ("register", "make the gateway of a sender post here"),
        ("move", "make the gateway post to another address of ingest; its secret stays the same"),
        ("check", "check that ingest knows the sender, and that its gateway posts here"),
    ):
        verbs.add_parser(verb, help=summary).add_argument("name")
    verbs.add_parser("remove", help="remove a sender from senders.toml; its history remains").add_argument("name")
    verbs.add_parser("url", help="show the sender's URL and how its gateway is set up").add_argument("name")
    for verb in ("add", "register", "move", "check", "url"):
        verbs.choices[verb].add_argument(
            "--ingest", default="http://127.0.0.1:3000", help="address of ingest for the gateway; default: %(default)s"
        )
    for verb in ("add", "register", "move", "check"):
        verbs.choices[verb].add_argument(
            "--session", action="append", default=[], help="the gateway's name of a session; default: all"
        )
    for verb in ("add", "register"):
        verbs.choices[verb].add_argument(
            "--replace", action="store_true", help="replace the webhook of a session that posts elsewhere"
        )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Run a parsed command and return its output.

    Raises SettingsError, OSError, and SystemExit with a message.
    """
    file = senders_file.path(environ)
    if arguments.verb == "add":
        sender = _new_sender(arguments, file)
        senders_edit.add(file, sender)
        return _register_added(sender, file, arguments)
    if arguments.verb == "remove":
        senders_edit.remove(file, arguments.name)
        return f"removed {arguments.name}; delete the webhook at the gateway as well"
    known = senders_file.read_all(environ)
    if arguments.verb == "list":
        return "\n".join(map(_format_sender, known.values())) or "there are no senders"
    if arguments.name not in known:
        raise SystemExit(f"api: there is no sender {arguments.name}; `senders list` shows them")
    sender = known[arguments.name]
    return (
        sender_steps.describe(sender, _url(arguments, sender))
        if arguments.verb == "url"
        else _run_at_gateway(sender, arguments)
    )


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


def _format_sender(sender: Sender) -> str:
    account = "account as reported" if sender.account is None else f"account {sender.account}"
    calls = "not called" if sender.base_url is None else sender.base_url
    return f"{sender.name}: {sender.kind}, {account}, {calls}, secrets: {len(sender.secrets)}"


def _register_added(sender: Sender, file: Path, arguments: argparse.Namespace) -> str:
    """Register the sender at its gateway and return the result, or return the steps to do it by hand."""
    url, added = _url(arguments, sender), f"added to {file}"
    if not sender_registration.can_register(sender, arguments.session):
        return f"{added}\n{sender_steps.describe(sender, url)}"
    sender_registration.wait_for_ingest(url)
    results = _catch_errors(
        lambda: sender_registration.register(sender, url, arguments.session, replace=arguments.replace)
    )
    return _format_results([(True, f"{added}; `senders url {sender.name}` shows the steps by hand."), *results])


def _run_at_gateway(sender: Sender, arguments: argparse.Namespace) -> str:
    """Run `register`, `move` or `check`."""
    url, sessions = _url(arguments, sender), arguments.session
    if arguments.verb == "check":
        return _format_results(_check(sender, url, sessions))
    if not sender_registration.can_register(sender, sessions):
        raise SystemExit(f"api: {_WHY_BY_HAND}\n{sender_steps.describe(sender, url)}")
    if arguments.verb == "move":
        return _format_results(_catch_errors(lambda: sender_registration.move(sender, url, sessions)))
    return _format_results(
        _catch_errors(lambda: sender_registration.register(sender, url, sessions, replace=arguments.replace))
    )


def _catch_errors(action: Callable[[], list[ActionResult]]) -> list[ActionResult]:
    try:
        return action()
    except errors.GatewayError as error:
        return [(False, f"{error}.")]


def _format_results(results: list[ActionResult]) -> str:
    """Return a line for each result. Raises SystemExit with these lines if any check failed."""
    # Escaped, so that the gateway's texts cannot control the terminal.
    text = "\n".join(
        lines.escape_invisible(f"{'ok' if is_good else 'FAILED'}: {sentence}") for is_good, sentence in results
    )
    if not all(is_good for is_good, _ in results):
        raise SystemExit(text)
    return text


def _check(sender: Sender, url: str, sessions: Sequence[str]) -> list[ActionResult]:
    results = [sender_registration.check_ingest(url)]
    if sender_registration.can_register(sender, sessions):
        return results + _catch_errors(lambda: sender_registration.check(sender, url, sessions))
    return results if sender.base_url is None else [*results, _check_gateway(sender.base_url)]


def _check_gateway(base_url: str) -> ActionResult:
    try:
        status = requests.get(base_url, timeout=sender_registration.TIMEOUT_SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        return False, f"{base_url} does not answer ({type(error).__name__}): correct base_url, or start the gateway."
    return True, f"{base_url} answers (status {status})."
