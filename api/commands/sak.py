"""`python -m api sak …`: calls SAK from a shell.

Exit codes: 0 done; 1 negative result (not connected, no match, not sent, not reconciled); 2 wrong usage or settings; 3
rejected by SAK; 4 SAK or the database could not be reached, and nothing was done; 5 outcome unknown.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from api.commands import sak_check, sak_messages, sak_webhooks
from api.commands.results import EXIT_NEGATIVE, EXIT_NOT_DONE, EXIT_REFUSED, EXIT_UNKNOWN, EXIT_USAGE, CommandResult
from api.gateway import client, errors
from api.gateway.settings import SakSettings
from api.http.errors import ApiError
from environment import variables
from store.model import lines
from store.postgres import connections
from store.postgres.errors import StoreError
from telemetry.errors import SettingsError

_EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (sak_webhooks.WebhookSelectionError, EXIT_NEGATIVE),
    (StoreError, EXIT_NOT_DONE),
    (errors.NotConfiguredError, EXIT_USAGE),
    (errors.RefusedError, EXIT_REFUSED),
    (errors.UnreachableError, EXIT_NOT_DONE),
    (errors.RateLimitedError, EXIT_NOT_DONE),
    (errors.GatewayError, EXIT_UNKNOWN),
)
"""The exit codes by error. Any other error means wrong usage."""
_ERROR_CODES: Mapping[type[Exception], str] = {
    SettingsError: "settings",
    sak_webhooks.WebhookSelectionError: "no_match",
}

GatewayCommand: TypeAlias = Callable[[client.SakClient, argparse.Namespace], CommandResult]
DatabaseCommand: TypeAlias = Callable[[SakSettings, str, argparse.Namespace], CommandResult]
"""A command that receives the URL of the database as well."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] -- argparse has no public name for it
    """Add the command `sak` and its subcommands to a parser."""
    sak = subparsers.add_parser(
        "sak",
        help="manage webhooks at SAK, send messages, check the connection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = sak.add_subparsers(dest="sak_command", required=True)

    register = _add_command(commands, "register", "register a webhook; may be repeated", sak_webhooks.register)
    register.add_argument("--url", required=True, help="the URL, such as https://your-server.com/whatsapp-webhook")
    register.add_argument(
        "--events", default=",".join(client.WEBHOOK_EVENTS), help="separated by commas (default: %(default)s)"
    )
    register.add_argument(
        "--write-env", type=Path, metavar="FILE", help="add the secret to FILE, as the first of WEBHOOK_SECRETS"
    )

    _add_command(commands, "webhooks", "list the webhooks of the session", sak_webhooks.webhooks)

    move = _add_command(commands, "move", "change the URL of a webhook; its secret stays the same", sak_webhooks.move)
    move.add_argument("--url", required=True, help="the new URL")
    move.add_argument("--from", dest="old", metavar="URL", help="its current URL, if the session has several webhooks")
    move.add_argument("--webhook", metavar="ID", help="its id, if the session has several webhooks")

    remove = _add_command(commands, "remove", "delete a webhook", sak_webhooks.remove)
    remove.add_argument("--url", dest="old", metavar="URL", help="its URL, if the session has several webhooks")
    remove.add_argument("--webhook", metavar="ID", help="its id, if the session has several webhooks")

    summary = "show the state of the session (can make SAK reconnect it)"
    _add_command(commands, "status", summary, sak_webhooks.status)

    test = _add_command(commands, "test", "make SAK post a ping and wait until it is in PostgreSQL", sak_check.run)
    sak_check.add_arguments(test)

    send = _add_command(commands, "send", "send a text or a file, and record it", sak_messages.send)
    sak_messages.add_send_arguments(send)

    summary = "compare unknown and queued sends with SAK's own list"
    sak_messages.add_reconcile_arguments(_add_command(commands, "reconcile", summary, sak_messages.reconcile))


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",  # pyright: ignore[reportPrivateUsage] -- as above
    name: str,
    summary: str,
    command: GatewayCommand | DatabaseCommand,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--session", metavar="ID", help="the session (default: SAK_SESSION_ID)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run_sak=command)
    return parser


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run a parsed command, print its result and return its exit code.

    Variables that `environ` lacks are read from `.env`, as by `./run`.
    """
    try:
        result = _execute(arguments, variables.of_command(environ))
    except _FAILURES as error:
        return _report_failure(arguments, error)
    # Escaped, so that SAK's texts cannot control the terminal.
    shown = "\n".join(map(lines.escape_invisible, result.lines))
    output = json.dumps(result.data, indent=2) if arguments.json else shown
    sys.stdout.write(output + "\n")
    return result.exit_code


def _execute(arguments: argparse.Namespace, environ: Mapping[str, str]) -> CommandResult:
    settings = _settings(environ, arguments.session)
    if arguments.run_sak in (sak_check.run, sak_messages.send, sak_messages.reconcile):
        database_command: DatabaseCommand = arguments.run_sak
        return database_command(settings, connections.direct_url(environ), arguments)
    command: GatewayCommand = arguments.run_sak
    with client.SakClient(settings) as sak:
        return command(sak, arguments)


def _settings(environ: Mapping[str, str], session_id: str | None) -> SakSettings:
    settings = SakSettings.from_environ(environ)
    if settings is None:
        sentence = "SAK_BASE_URL is not set: set it to the URL of SAK, such as https://sak.example/api/v1."
        raise SettingsError(sentence)
    return dataclasses.replace(settings, session_id=session_id) if session_id else settings


_FAILURES = (
    SettingsError,
    OSError,
    ApiError,
    sak_webhooks.WebhookSelectionError,
    sak_check.PathCheckError,
    StoreError,
    errors.GatewayError,
)


def _report_failure(arguments: argparse.Namespace, error: Exception) -> int:
    # If an error only describes another one, the exit code is that of its cause.
    cause = error.__cause__ if isinstance(error, ApiError | sak_check.PathCheckError) else error
    exit_code = next((code for kind, code in _EXIT_CODES if isinstance(cause, kind)), EXIT_USAGE)
    if isinstance(error, sak_check.PathCheckError):
        code, exit_code = "step_failed", exit_code if cause else EXIT_NEGATIVE
    else:
        code = getattr(error, "code", None) or next(
            (code for kind, code in _ERROR_CODES.items() if isinstance(error, kind)), None
        )
    sentence = lines.escape_invisible(error.message if isinstance(error, ApiError) else str(error), keep="\n")
    if arguments.json:
        sys.stdout.write(json.dumps({"error": sentence, "code": code}) + "\n")
    else:
        sys.stderr.write(f"{sentence} [{code}]\n" if code and exit_code >= EXIT_REFUSED else f"{sentence}\n")
    return exit_code
