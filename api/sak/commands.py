"""`python -m api sak …`: the SAK side from a shell.

Exit codes: 0 done; 1 the answer is no (session not connected, nothing that fits); 2 wrong usage or settings;
3 SAK refused; 4 SAK was not reached or limits its rate, and nothing was done; 5 no answer, so perhaps it was done.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from api.sak import actions, client, errors
from api.sak.settings import Settings, SettingsError

USAGE, REFUSED, NOT_DONE, UNKNOWN = range(2, 6)
CODES: Mapping[type[errors.SakError], int] = {
    errors.NotConfiguredError: USAGE,
    errors.RefusedError: REFUSED,
    errors.UnreachableError: NOT_DONE,
    errors.LimitedError: NOT_DONE,
    errors.UnknownError: UNKNOWN,
}


Command: TypeAlias = Callable[[client.Client, argparse.Namespace], actions.Said]


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
        commands, "register", "ask SAK to post its webhooks to us; repeating it is harmless", actions.register
    )
    register.add_argument("--url", required=True, help="where, such as https://your-server.com/whatsapp-webhook")
    register.add_argument(
        "--events", default=",".join(client.EVENTS), help="which, separated by commas (default: %(default)s)"
    )
    register.add_argument(
        "--write-env", type=Path, metavar="FILE", help="put the secret into FILE as the first of WEBHOOK_SECRETS"
    )

    _command(commands, "webhooks", "list the session's webhooks", actions.webhooks)

    move = _command(commands, "move", "have a webhook posted to another URL, with the same secret", actions.move)
    move.add_argument("--url", required=True, help="the new URL")
    move.add_argument(
        "--from", dest="old", metavar="URL", help="the present URL, where the session has several webhooks"
    )
    move.add_argument("--webhook", metavar="ID", help="the webhook's id, where the session has several")

    remove = _command(commands, "remove", "delete a webhook", actions.remove)
    remove.add_argument("--url", dest="old", metavar="URL", help="its URL, where the session has several")
    remove.add_argument("--webhook", metavar="ID", help="its id, where the session has several")

    _command(
        commands, "status", "say whether the session is connected; asking can make SAK reconnect it", actions.status
    )


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",  # pyright: ignore[reportPrivateUsage] -- as above
    name: str,
    summary: str,
    command: Command,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--session", metavar="ID", help="the session (default: SAK_SESSION_ID)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.set_defaults(run_sak=command)
    return parser


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Runs a parsed command, says what came of it, and returns the exit code."""
    command: Command = arguments.run_sak
    try:
        settings = _settings(environ, arguments.session)
        with client.Client(settings) as sak:
            said = command(sak, arguments)
    except SettingsError as error:
        return _failed(arguments, str(error), "settings", USAGE)
    except actions.NoMatchError as error:
        return _failed(arguments, str(error), "no_match", actions.NO)
    except errors.SakError as error:
        return _failed(arguments, str(error), error.code, CODES.get(type(error), UNKNOWN))
    answer = json.dumps(said.data, ensure_ascii=False, indent=2) if arguments.json else "\n".join(said.lines)
    sys.stdout.write(answer + "\n")
    return said.code


def _settings(environ: Mapping[str, str], session_id: str | None) -> Settings:
    settings = Settings.from_environ(environ)
    if settings is None:
        raise SettingsError("SAK_BASE_URL is not set: it names SAK, such as https://sak.example/api/v1")
    return dataclasses.replace(settings, session_id=session_id) if session_id else settings


def _failed(arguments: argparse.Namespace, sentence: str, code: str | None, exit_code: int) -> int:
    if arguments.json:
        sys.stdout.write(json.dumps({"error": sentence, "code": code}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"{sentence} [{code}]\n" if code and exit_code >= REFUSED else f"{sentence}\n")
    return exit_code
