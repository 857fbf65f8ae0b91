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
from api.gateway.settings import Settings, SettingsError
from api.http.errors import Refusal
from store.postgres import connections
from store.postgres.errors import StoreError

USAGE, REFUSED, NOT_DONE, UNKNOWN = range(2, 6)
CODES: tuple[tuple[type[BaseException], int], ...] = (
    (sak_webhooks.NoMatchError, sak_webhooks.NO),
    (StoreError, NOT_DONE),
    (errors.NotConfiguredError, USAGE),
    (errors.RefusedError, REFUSED),
    (errors.UnreachableError, NOT_DONE),
    (errors.LimitedError, NOT_DONE),
    (errors.SakError, UNKNOWN),
)
"""Anything else is wrong usage."""
_WORDS: Mapping[type[Exception], str] = {SettingsError: "settings", sak_webhooks.NoMatchError: "no_match"}


Command: TypeAlias = Callable[[client.Client, argparse.Namespace], sak_webhooks.Said]
Kept: TypeAlias = Callable[[Settings, str, argparse.Namespace], sak_webhooks.Said]
"""A command that needs the database, whose URL it gets."""


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Runs `argv` (what stands after `python -m api`, beginning with `sak`) and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m api")
    add_to(parser.add_subparsers(dest="group", required=True))
    return run(parser.parse_args(argv), environ)


def add_to(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:  # pyright: ignore[reportPrivateUsage] -- argparse has no public name for it
    """Adds `sak` and its commands; `run` runs what was parsed."""
    sak = subparsers.add_parser(
        "sak",
        help="register webhooks with SAK and look after them",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = sak.add_subparsers(dest="sak_command", required=True)

    register = _command(
        commands, "register", "ask SAK to post its webhooks to us; repeating it is harmless", sak_webhooks.register
    )
    register.add_argument("--url", required=True, help="where, such as https://your-server.com/whatsapp-webhook")
    register.add_argument(
        "--events", default=",".join(client.EVENTS), help="which, separated by commas (default: %(default)s)"
    )
    register.add_argument(
        "--write-env", type=Path, metavar="FILE", help="put the secret into FILE as the first of WEBHOOK_SECRETS"
    )

    _command(commands, "webhooks", "list the session's webhooks", sak_webhooks.webhooks)

    move = _command(commands, "move", "have a webhook posted to another URL, with the same secret", sak_webhooks.move)
    move.add_argument("--url", required=True, help="the new URL")
    move.add_argument(
        "--from", dest="old", metavar="URL", help="the present URL, where the session has several webhooks"
    )
    move.add_argument("--webhook", metavar="ID", help="the webhook's id, where the session has several")

    remove = _command(commands, "remove", "delete a webhook", sak_webhooks.remove)
    remove.add_argument("--url", dest="old", metavar="URL", help="its URL, where the session has several")
    remove.add_argument("--webhook", metavar="ID", help="its id, where the session has several")

    _command(
        commands,
        "status",
        "say whether the session is connected; asking can make SAK reconnect it",
        sak_webhooks.status,
    )

    sak_messages.arguments_of_test(
        _command(commands, "test", "have SAK post a ping, and wait until PostgreSQL has it", sak_messages.test)
    )
    sak_messages.arguments_of_send(_command(commands, "send", "send a text or a file, and keep it", sak_messages.send))
    sak_messages.arguments_of_reconcile(
        _command(
            commands,
            "reconcile",
            "compare sends that are unknown or queued with SAK's own list",
            sak_messages.reconcile,
        )
    )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",  # pyright: ignore[reportPrivateUsage] -- as above
    name: str,
    summary: str,
    command: Command | Kept,
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
        said = _said(arguments, {**env_file.read(Path(".env")), **environ})
    except _FAILURES as error:
        return _failed(arguments, error)
    answer = json.dumps(said.data, ensure_ascii=False, indent=2) if arguments.json else "\n".join(said.lines)
    sys.stdout.write(answer + "\n")
    return said.code


def _said(arguments: argparse.Namespace, environ: Mapping[str, str]) -> sak_webhooks.Said:
    settings = _settings(environ, arguments.session)
    if arguments.run_sak in (sak_messages.test, sak_messages.send, sak_messages.reconcile):
        kept: Kept = arguments.run_sak
        return kept(settings, connections.direct_url(environ), arguments)
    command: Command = arguments.run_sak
    with client.Client(settings) as sak:
        return command(sak, arguments)


def _settings(environ: Mapping[str, str], session_id: str | None) -> Settings:
    settings = Settings.from_environ(environ)
    if settings is None:
        raise SettingsError("SAK_BASE_URL is not set: it names SAK, such as https://sak.example/api/v1")
    return dataclasses.replace(settings, session_id=session_id) if session_id else settings


_FAILURES = (
    SettingsError,
    connections.NoDatabaseError,
    OSError,
    Refusal,
    sak_webhooks.NoMatchError,
    sak_messages.StepError,
    StoreError,
    errors.SakError,
)


def _failed(arguments: argparse.Namespace, error: Exception) -> int:
    # What our own error stands for is in its cause.
    cause = error.__cause__ if isinstance(error, Refusal | sak_messages.StepError) else error
    exit_code = next((code for kind, code in CODES if isinstance(cause, kind)), USAGE)
    if isinstance(error, sak_messages.StepError):
        code, exit_code = "step_failed", exit_code if cause else sak_webhooks.NO
    else:
        code = getattr(error, "code", None) or _WORDS.get(type(error))
    sentence = error.sentence if isinstance(error, Refusal) else str(error)
    if arguments.json:
        sys.stdout.write(json.dumps({"error": sentence, "code": code}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"{sentence} [{code}]\n" if code and exit_code >= REFUSED else f"{sentence}\n")
    return exit_code
