"""Describes the steps to make a gateway post to ingest, for each kind of sender."""

from collections.abc import Mapping
from typing import Final

from environment.sender_kinds import STATIC_HEADER_PATTERN
from environment.senders_file import Sender

_STEPS: Final[Mapping[str, str]] = {
    "sak": "Register {url} at SAK (`python -m api sak register URL`), and write its secret into `secrets`.",
    "meta": (
        "In the app dashboard, WhatsApp > Configuration > Webhook, enter\n"
        "  callback URL  {url}\n"
        "  verify token  {verify_token}\n"
        "subscribe to messages, smb_message_echoes, history and smb_app_state_sync, and write the app secret\n"
        "(App settings > Basic) into `secrets` of senders.toml."
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
        '  {{"webhook": {{"enabled": true, "url": "{url}", "headers": {{{headers}}}, "events": '
        '["MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", '
        '"CONTACTS_UPDATE", "CONNECTION_UPDATE"]}}}}'
    ),
    "wuzapi": (
        "Set at wuzapi WUZAPI_GLOBAL_HMAC_KEY={key}, or the key of one user by POST /session/hmac/config,\n"
        "and send POST /webhook with the user's token:\n"
        '  {{"webhookURL": "{url}", "events": ["All"]}}'
    ),
}


def describe(sender: Sender, url: str) -> str:
    """Return the URL, and the steps with the sender's first secret."""
    secret = sender.secrets[0]
    header = STATIC_HEADER_PATTERN.fullmatch(secret) if sender.scheme.allows_static_header else None
    name, value = ("jwt_key", secret) if header is None else (header[1], header[2])
    steps = _STEPS[sender.kind].format(
        url=url, key=secret, verify_token=sender.verify_token or "(none)", headers=f'"{name}": "{value}"'
    )
    return f"url: {url}\n{steps}"
