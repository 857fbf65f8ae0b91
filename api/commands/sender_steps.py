"""Describes the steps to make a gateway post to ingest, for each kind of sender."""

from collections.abc import Mapping
from typing import Final

from environment.sender_kinds import STATIC_HEADER_PATTERN
from environment.senders_file import Sender

_STEPS: Final[Mapping[str, str]] = {
    "sak": (
        "Register {url} at SAK (`python -m api sak register URL`), and replace the value of `secrets` in\n"
        "senders.toml by SAK's secret."
    ),
    "meta": (
        "In the app dashboard, WhatsApp > Configuration > Webhook, enter\n"
        "  callback URL  {url}\n"
        "  verify token  {verify_token}\n"
        "and subscribe to messages, smb_message_echoes, history and smb_app_state_sync. Meta signs with the app\n"
        "secret (App settings > Basic): it must be the value of `secrets` in senders.toml."
    ),
    "waha": (
        "Set at WAHA, for all sessions,\n"
        "  WHATSAPP_HOOK_URL={url}\n"
        "  WHATSAPP_HOOK_EVENTS=*\n"
        "  WHATSAPP_HOOK_HMAC_KEY={key}\n"
        "or for one session by PUT /api/sessions/SESSION:\n"
        '  {{"config": {{"webhooks": [{{"url": "{url}", "events": ["*"], "hmac": {{"key": "{key}"}}}}]}}}}'
    ),
    "openwa": (
        "Send to OpenWA POST /api/sessions/SESSION/webhooks with your X-API-Key:\n"
        '  {{"url": "{url}", "events": ["*"], "secret": "{key}"}}'
    ),
    "gowa": "Start GOWA with\n  --webhook={url} --webhook-secret={key}",
    "evolution": (
        "Send to Evolution POST /webhook/set/INSTANCE with your apikey:\n"
        '  {{"webhook": {{"enabled": true, "url": "{url}", "byEvents": false, "headers": {{{headers}}}, "events": '
        '["MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", '
        '"SEND_MESSAGE", "CONTACTS_UPDATE", "CONNECTION_UPDATE"]}}}}'
    ),
    "wuzapi": (
        "Set at wuzapi WUZAPI_GLOBAL_HMAC_KEY={key}, or the key of one user by POST /session/hmac/config,\n"
        "and send POST /webhook with the user's token:\n"
        '  {{"webhookURL": "{url}", "events": ["All"]}}'
    ),
}
_STEPS_WITH_HEADER: Final[Mapping[str, str]] = {
    "waha": (
        "Set at WAHA, for each session, by PUT /api/sessions/SESSION:\n"
        '  {{"config": {{"webhooks": [{{"url": "{url}", "events": ["*"], '
        '"customHeaders": [{{"name": "{name}", "value": "{value}"}}]}}]}}}}'
    ),
    "openwa": (
        "Send to OpenWA POST /api/sessions/SESSION/webhooks with your X-API-Key:\n"
        '  {{"url": "{url}", "events": ["*"], "headers": {{{headers}}}}}'
    ),
}
"""The steps for a secret that is a header instead of a key, where they differ."""
_OTHER_STEPS: Final = (
    "Enter the URL as the gateway's webhook. Each webhook must have the header {header}, with\n"
    "{prefix}the signature or the token made with the key\n"
    "  {key}"
)


def describe(sender: Sender, url: str) -> str:
    """Return the URL, and the steps with the sender's first secret."""
    secret = sender.secrets[0]
    header = STATIC_HEADER_PATTERN.fullmatch(secret) if sender.scheme.allows_static_header else None
    name, value = ("jwt_key", secret) if header is None else (header[1], header[2])
    steps = _STEPS.get(sender.kind, _OTHER_STEPS)
    if header is not None:
        steps = _STEPS_WITH_HEADER.get(sender.kind, steps)
    filled = steps.format(
        url=url,
        key=secret,
        verify_token=sender.verify_token or "(none)",
        name=name,
        value=value,
        headers=f'"{name}": "{value}"',
        header=sender.scheme.header,
        prefix=f"{sender.scheme.prefix!r} and " if sender.scheme.prefix else "",
    )
    return f"url: {url}\n{filled}"
