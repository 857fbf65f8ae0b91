"""`python -m api sak …`: the SAK side from a shell.

Exit codes: 0 done; 1 the answer is no (not connected, nothing that fits, not sent, not settled); 2 wrong usage or
settings; 3 SAK refused; 4 SAK or the database was not reached, and nothing was done; 5 no answer, so perhaps it was.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from api.commands import env_file, sak_messages, sak_webhooks
from api.gateway import client, errors
from api.gateway.settings import GatewaySettingsError, Settings
from api.http.errors import ApiError
from store.postgres import connections
from store.postgres.errors import StoreError

EXIT_USAGE, EXIT_REFUSED, EXIT_NOT_DONE, EXIT_UNKNOWN = range(2, 6)
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (sak_webhooks.WebhookSelectionError, sak_webhooks.EXIT_NEGATIVE),
    (StoreError, EXIT_NOT_DONE),
    (errors.NotConfiguredError, EXIT_USAGE),
    (errors.RefusedError, EXIT_REFUSED),
    (errors.UnreachableError, EXIT_NOT_DONE),
    (errors.RateLimitedError, EXIT_NOT_DONE),
    (errors.SakError, EXIT_UNKNOWN),
)
"""Anything else is wrong usage."""
_ERROR_CODES: Mapping[type[Exception], str] = {
    GatewaySettingsError: "settings",
    sak_webhooks.WebhookSelectionError: "no_match",
}


GatewayCommand: TypeAlias = Callable[[client.SakClient, argparse.Namespace], sak_webhooks.CommandResult]
DatabaseCommand: TypeAlias = Callable[[Settings, str, argparse.Namespace], sak_webhooks.CommandResult]
"""A command that needs the database, whose URL it gets."""


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Runs `argv` (what stands after `python -m api`, beginning with `sak`) and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m api")
    add_parser(parser.add_subparsers(dest="group", required=True))
    return run(parser.parse_args(argv), environ)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] -- argparse has no public name for it
    """Adds `sak` and its commands; `run` runs what was parsed."""
    sak = subparsers.add_parser(
        "sak",
        help="register webhooks with SAK and look after them",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = sak.add_subparsers(dest="sak_command", required=True)

    register = _add_command(
        commands, "register", "ask SAK to post its webhooks to us; repeating it is harmless", sak_webhooks.register
    )
    register.add_argument("--url", required=True, help="where, such as https://your-server.com/whatsapp-webhook")
    register.add_argument(
        "--events", default=",".join(client.WEBHOOK_EVENTS), help="which, separated by commas (default: %(default)s)"
    )
    register.add_argument(
        "--write-env", type=Path, metavar="FILE", help="put the secret into FILE as the first of WEBHOOK_SECRETS"
    )

    _add_command(commands, "webhooks", "list the session's webhooks", sak_webhooks.webhooks)

    move = _add_command(
        commands, "move", "have a webhook posted to another URL, with the same secret", sak_webhooks.move
    )
    move.add_argument("--url", required=True, help="the new URL")
    move.add_argument(
        "--from", dest="old", metavar="URL", help="the present URL, where the session has several webhooks"
    )
    move.add_argument("--webhook", metavar="ID", help="the webhook's id, where the session has several")

    remove = _add_command(commands, "remove", "delete a webhook", sak_webhooks.remove)
    remove.add_argument("--url", dest="old", metavar="URL", help="its URL, where the session has several")
    remove.add_argument("--webhook", metavar="ID", help="its id, where the session has several")

    _add_command(
        commands,
        "status",
        "say whether the session is connected; asking can make SAK reconnect it",
        sak_webhooks.status,
    )

    sak_messages.add_test_arguments(
        _add_command(commands, "test", "have SAK post a ping, and wait until PostgreSQL has it", sak_messages.test)
    )
    sak_messages.add_send_arguments(
        _add_command(commands, "send", "send a text or a file, and keep it", sak_messages.send)
    )
    sak_messages.add_reconcile_arguments(
        _add_command(
            commands,
            "reconcile",
            "compare sends that are unknown or queued with SAK's own list",
            sak_messages.reconcile,
        )
    )


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",  # pyright: ignore[reportPrivateUsage] -- as above
    name: str,
    summary: str,
    command: GatewayCommand | DatabaseCommand,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--session", metavar="ID", help="the session (default: SAK_SESSION_ID)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run_sak=command)
    return parser


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Runs a parsed command, says what came of it, and returns the exit code.

    What `environ` does not name is looked up in `.env`, as `./run` does.
    """
    try:
        said = _execute(arguments, {**env_file.read(Path(".env")), **environ})
    except _FAILURES as error:
        return _report_failure(arguments, error)
    answer = json.dumps(said.data, ensure_ascii=False, indent=2) if arguments.json else "\n".join(said.lines)
    sys.stdout.write(answer + "\n")
    return said.exit_code


def _execute(arguments: argparse.Namespace, environ: Mapping[str, str]) -> sak_webhooks.CommandResult:
    settings = _settings(environ, arguments.session)
    if arguments.run_sak in (sak_messages.test, sak_messages.send, sak_messages.reconcile):
        kept: DatabaseCommand = arguments.run_sak
        return kept(settings, connections.direct_url(environ), arguments)
    command: GatewayCommand = arguments.run_sak
    with client.SakClient(settings) as sak:
        return command(sak, arguments)


def _settings(environ: Mapping[str, str], session_id: str | None) -> Settings:
    settings = Settings.from_environ(environ)
    if settings is None:
        raise GatewaySettingsError("SAK_BASE_URL is not set: it names SAK, such as https://sak.example/api/v1")
    return dataclasses.replace(settings, session_id=session_id) if session_id else settings


_FAILURES = (
    GatewaySettingsError,
    connections.DatabaseUrlError,
    OSError,
    ApiError,
    sak_webhooks.WebhookSelectionError,
    sak_messages.PathCheckError,
    StoreError,
    errors.SakError,
)


def _report_failure(arguments: argparse.Namespace, error: Exception) -> int:
    # What our own error stands for is in its cause.
    cause = error.__cause__ if isinstance(error, ApiError | sak_messages.PathCheckError) else error
    exit_code = next((code for kind, code in EXIT_CODES if isinstance(cause, kind)), EXIT_USAGE)
    if isinstance(error, sak_messages.PathCheckError):
        code, exit_code = "step_failed", exit_code if cause else sak_webhooks.EXIT_NEGATIVE
    else:
        code = getattr(error, "code", None) or _ERROR_CODES.get(type(error))
    sentence = error.message if isinstance(error, ApiError) else str(error)
    if arguments.json:
        sys.stdout.write(json.dumps({"error": sentence, "code": code}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"{sentence} [{code}]\n" if code and exit_code >= EXIT_REFUSED else f"{sentence}\n")
    return exit_code
