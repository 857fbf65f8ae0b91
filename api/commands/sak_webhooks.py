"""What each command asks of SAK, and what it says of the answer."""

import argparse
import dataclasses
from dataclasses import dataclass
from typing import Any

from api.commands import env_file
from api.gateway import client, payloads

EXIT_OK, EXIT_NEGATIVE = range(2)


class WebhookSelectionError(Exception):
    """A sentence that says why no webhook, or more than one, is meant."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command's answer, for people and for machines."""

    lines: tuple[str, ...]
    data: Any
    exit_code: int = EXIT_OK


def register(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    events = [word.strip() for word in arguments.events.split(",") if word.strip()]
    registered = sak.register_webhook(arguments.url, events)
    lines = [
        f"{'registered' if registered.new else 'was registered already, events updated'}: {registered.url}",
        f"webhook  {registered.webhook_id}",
        f"events   {', '.join(registered.events)}",
        f"secret   {registered.secret}",
    ]
    data: dict[str, Any] = dataclasses.asdict(registered)
    if arguments.write_env is not None:
        try:
            new = env_file.add_secret(arguments.write_env, registered.secret)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            lines.append(f"the secret could not be written to {arguments.write_env} ({reason}): put it there by hand")
            return CommandResult(tuple(lines), data | {"written": False}, EXIT_NEGATIVE)
        word = "is now the first of" if new else "stands already in"
        lines.append(f"it {word} WEBHOOK_SECRETS in {arguments.write_env}; ingest reads it when it starts")
        data["written"] = True
    else:
        lines.append("ingest needs this secret in WEBHOOK_SECRETS (--write-env FILE puts it there)")
    return CommandResult(tuple(lines), data)


def webhooks(sak: client.SakClient, _arguments: argparse.Namespace) -> CommandResult:
    found = _session_webhooks(sak)
    lines = [
        f"{one.webhook_id}  {'active  ' if one.active else 'inactive'}  {one.url}  {','.join(one.events)}"
        for one in found
    ]
    return CommandResult(tuple(lines or ["no webhooks"]), [dataclasses.asdict(webhook) for webhook in found])


def move(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    if arguments.webhook is None and arguments.old is None:
        there = [webhook for webhook in _session_webhooks(sak) if webhook.url == arguments.url and webhook.active]
        if there:
            return CommandResult((f"is there already: {arguments.url}",), _moved_json(there[0], arguments.url))
    webhook = _select_webhook(sak, arguments)
    sak.update_webhook(webhook.webhook_id, url=arguments.url)
    return CommandResult(
        (f"moved: {webhook.url} -> {arguments.url}", "its secret is what it was"), _moved_json(webhook, arguments.url)
    )


def _moved_json(webhook: payloads.Webhook, url: str) -> dict[str, Any]:
    return {"webhook_id": webhook.webhook_id, "from": webhook.url, "url": url}


def remove(sak: client.SakClient, arguments: argparse.Namespace) -> CommandResult:
    webhook = _select_webhook(sak, arguments)
    sak.delete_webhook(webhook.webhook_id)
    return CommandResult((f"removed: {webhook.url}",), dataclasses.asdict(webhook))


def status(sak: client.SakClient, _arguments: argparse.Namespace) -> CommandResult:
    session = sak.session_state()
    lines = (
        f"session  {session.session_id or '?'}",
        f"state    {'connected' if session.connected else 'not connected'}",
        f"phone    {session.phone or 'not known'}",
        f"since    {session.last_connected_at or 'not known'}",
    )
    return CommandResult(lines, dataclasses.asdict(session), EXIT_OK if session.connected else EXIT_NEGATIVE)


def _select_webhook(sak: client.SakClient, arguments: argparse.Namespace) -> payloads.Webhook:
    """The one webhook that the arguments mean; raises NoMatchError."""
    found = [
        webhook
        for webhook in _session_webhooks(sak)
        if arguments.webhook in (None, webhook.webhook_id) and arguments.old in (None, webhook.url)
    ]
    if not found:
        raise WebhookSelectionError("no webhook fits; `webhooks` lists them")
    if len(found) > 1:
        listed = "".join(f"\n  {webhook.webhook_id}  {webhook.url}" for webhook in found)
        raise WebhookSelectionError(f"{len(found)} webhooks fit; say which with --webhook ID:{listed}")
    return found[0]


def _session_webhooks(sak: client.SakClient) -> list[payloads.Webhook]:
    return sak.list_webhooks(sak.session_id)
