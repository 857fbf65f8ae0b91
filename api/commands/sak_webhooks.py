"""`python -m api sak register|webhooks|move|remove|status`: manages webhooks, and shows the state of the session."""

import argparse
import dataclasses
from typing import Any

from api.commands.results import EXIT_NEGATIVE, EXIT_OK, CommandResult
from api.gateway import client, payloads
from environment import env_file
from environment.env_file import EnvFileError


class WebhookSelectionError(Exception):
    """No webhook matches, or more than one. The message says which."""


def register(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    events = [name.strip() for name in arguments.events.split(",") if name.strip()]
    registration = sak.register_webhook(arguments.url, events)
    lines = [
        f"{'registered' if registration.new else 'already registered, events updated'}: {registration.url}",
        f"webhook  {registration.webhook_id}",
        f"events   {', '.join(registration.events)}",
    ]
    data: dict[str, Any] = dataclasses.asdict(registration)
    secret = f"secret   {registration.secret}"
    if arguments.write_env is None:
        advice = "add this secret to WEBHOOK_SECRETS of ingest (--write-env FILE does)"
        return CommandResult((*lines, secret, advice), data)
    try:
        is_new = env_file.add_secret(arguments.write_env, registration.secret)
    except (OSError, EnvFileError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        advice = f"the secret could not be written to {arguments.write_env} ({reason}): add it yourself"
        return CommandResult((*lines, secret, advice), data | {"written": False}, EXIT_NEGATIVE)
    # A secret that is in the file is not shown in the terminal or in a log as well.
    del data["secret"]
    if is_new:
        lines.append(f"its secret is now the first of WEBHOOK_SECRETS in {arguments.write_env}")
        lines.append("an ingest that runs in the folder of this .env accepts it within a second, without a restart;")
        lines.append("any other needs it in WEBHOOK_SECRETS and a restart, or this file as WEBHOOK_SECRETS_FILE")
    else:
        lines.append(f"its secret was in WEBHOOK_SECRETS of {arguments.write_env} already")
    return CommandResult(tuple(lines), data | {"written": True})


def webhooks(sak: client.SakClient, _arguments: argparse.Namespace) -> CommandResult:
    registered = _session_webhooks(sak)
    states = {True: "active  ", False: "inactive"}
    lines = [
        "  ".join([webhook.webhook_id, states[webhook.active], webhook.url, ",".join(webhook.events)])
        for webhook in registered
    ]
    return CommandResult(tuple(lines or ["no webhooks"]), [dataclasses.asdict(webhook) for webhook in registered])


def move(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    if arguments.webhook is None and arguments.old is None:
        at_target = [webhook for webhook in _session_webhooks(sak) if webhook.url == arguments.url and webhook.active]
        if at_target:
            return CommandResult((f"already at {arguments.url}",), _moved_json(at_target[0], arguments.url))
    webhook = _select_webhook(sak, arguments)
    sak.update_webhook(webhook.webhook_id, arguments.url)
    return CommandResult(
        (f"moved: {webhook.url} -> {arguments.url}", "its secret is unchanged"), _moved_json(webhook, arguments.url)
    )


def _moved_json(webhook: payloads.Webhook, url: str) -> dict[str, Any]:
    return {"webhook_id": webhook.webhook_id, "from": webhook.url, "url": url}


def remove(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    webhook = _select_webhook(sak, arguments)
    sak.delete_webhook(webhook.webhook_id)
    return CommandResult((f"removed: {webhook.url}",), dataclasses.asdict(webhook))


def status(sak: client.SakClient, _arguments: argparse.Namespace) -> CommandResult:
    session = sak.session_status()
    lines = (
        f"session  {session.session_id or '?'}",
        f"state    {'connected' if session.connected else 'not connected'}",
        f"name     {session.name or 'unknown'}",
        f"phone    {session.phone or 'unknown'}",
        f"since    {session.last_connected_at or 'unknown'}",
    )
    return CommandResult(lines, dataclasses.asdict(session), EXIT_OK if session.connected else EXIT_NEGATIVE)


def _select_webhook(sak: client.SakClient, arguments: argparse.Namespace) -> payloads.Webhook:
    """Return the webhook that matches the arguments. Raises WebhookSelectionError."""
    matches = [
        webhook
        for webhook in _session_webhooks(sak)
        if arguments.webhook in (None, webhook.webhook_id) and arguments.old in (None, webhook.url)
    ]
    if not matches:
        raise WebhookSelectionError("no webhook matches; `webhooks` lists them")
    if len(matches) > 1:
        listed = "".join(f"\n  {webhook.webhook_id}  {webhook.url}" for webhook in matches)
        raise WebhookSelectionError(f"{len(matches)} webhooks match; select one with --webhook ID:{listed}")
    return matches[0]


def _session_webhooks(sak: client.SakClient) -> list[payloads.Webhook]:
    return sak.list_webhooks(sak.session_id)
