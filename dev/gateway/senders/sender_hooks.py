"""Implements the webhooks of the simulated gateways, set and signed as documented."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import jwt
import requests

from environment.sender_kinds import KINDS

TIMEOUT_SECONDS: Final = 8.0
SESSIONS: Final[Mapping[str, str]] = {
    "waha": "default",
    "openwa": "185ad6dc-6ba1-47a4-ab8f-309d8842f125",
    "evolution": "shop one",
    "wuzapi": "",
    "gowa": "till",
    "meta": "104000000000061",
}
"""The gateway's name of its only session. For Meta it is the WhatsApp Business account's, for wuzapi the key's."""

Answer: TypeAlias = tuple[int, Any]
"""A status and a JSON value."""


@dataclass(slots=True)
class PretendHook:
    """A webhook, with our own field names."""

    url: str = ""
    key: str = ""
    header: tuple[str, str] | None = None
    """A header sent with each event, for gateways that do not sign."""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """The webhook as the gateway lists it."""


@dataclass(slots=True)
class PretendHooks:
    """The webhooks of one gateway."""

    kind: str
    registered: list[PretendHook] = field(default_factory=list[PretendHook])

    def answer(self, method: str, path: str, body: Mapping[str, Any]) -> Answer | None:
        """Return the answer to a request about webhooks, or None for any other request."""
        for of_kind, of_method, pattern, handle in _ROUTES:
            if (of_kind, of_method) == (self.kind, method) and (match := re.fullmatch(pattern, path)):
                if match.groups() and match[1] != SESSIONS[self.kind]:
                    return 404, {"message": f"no session {match[1]}"}
                return handle(self, body)
        return None

    def only(self) -> PretendHook:
        """Return the webhook of a session that has only one."""
        if not self.registered:
            self.registered.append(PretendHook())
        return self.registered[0]

    def post(self, body: bytes) -> list[int]:
        """Post an event to every webhook. Return the statuses of the responses."""
        return [self._post(hook, body) for hook in self.registered if hook.url]

    def _post(self, hook: PretendHook, body: bytes) -> int:
        content_type = "application/json" if body[:1] == b"{" else "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, **self._proof(hook, body)}
        with requests.Session() as session:
            session.trust_env = False  # a webhook to this machine never goes through a proxy
            return session.post(hook.url, data=body, headers=headers, timeout=TIMEOUT_SECONDS).status_code

    def _proof(self, hook: PretendHook, body: bytes) -> dict[str, str]:
        """Return the headers that authenticate the gateway."""
        scheme = KINDS[self.kind]
        if scheme.algorithm == "jwt" and hook.header is not None and hook.header[0] == "jwt_key":
            now = int(time.time())
            claims = {"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"}
            token = jwt.encode(claims, hook.header[1], "HS256")  # pyright: ignore[reportUnknownMemberType] - partly typed
            return {"Authorization": f"Bearer {token}"}
        if hook.header is not None:
            return dict([hook.header])
        signature = hmac.new(hook.key.encode(), body, getattr(hashlib, scheme.algorithm)).hexdigest()
        return {scheme.header: f"{scheme.prefix}{signature}"}


def _waha_session(hooks: PretendHooks, _: Mapping[str, Any]) -> Answer:
    webhooks = [hook.fields for hook in hooks.registered]
    return 200, {"name": "default", "status": "WORKING", "config": {"debug": False, "webhooks": webhooks}}


def _set_waha_webhooks(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    listed: list[dict[str, Any]] = body["config"]["webhooks"]
    hooks.registered = [_hook_from_waha(fields) for fields in listed]
    return _waha_session(hooks, body)


def _hook_from_waha(fields: dict[str, Any]) -> PretendHook:
    [header] = [(each["name"], each["value"]) for each in fields.get("customHeaders", [])] or [None]
    return PretendHook(fields["url"], fields.get("hmac", {}).get("key", ""), header, fields)


def _add_openwa_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    hooks.registered.append(PretendHook())
    return 201, _change_openwa_webhook(hooks, body)[1]


def _change_openwa_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    # Secrets are never listed.
    hook = hooks.registered[-1]
    header = next(iter(body.get("headers", {}).items()), None)
    fields = {"id": "wh_1", "url": body["url"], "events": body["events"], "active": body.get("active", True)}
    hook.url, hook.key, hook.header, hook.fields = body["url"], body.get("secret", hook.key), header, fields
    return 200, fields


def _test_openwa_webhook(hooks: PretendHooks, __: Mapping[str, Any]) -> Answer:
    body = (
        f'{{"event":"test","timestamp":"2026-09-10T00:26:50.250Z","sessionId":"{SESSIONS["openwa"]}",'
        '"deliveryId":"dlv_test","data":{}}'
    )
    status = hooks.post(body.encode())[0]
    return 200, {"success": status < 300, "statusCode": status, "error": None if status < 300 else f"HTTP {status}"}


def _find_evolution_webhook(hooks: PretendHooks, _: Mapping[str, Any]) -> Answer:
    return 200, hooks.registered[0].fields if hooks.registered else None


def _set_evolution_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    fields: dict[str, Any] = body["webhook"]
    hooks.registered = [PretendHook(fields["url"], "", next(iter(fields["headers"].items())), fields)]
    return 201, fields


def _find_gowa_webhook(hooks: PretendHooks, _: Mapping[str, Any]) -> Answer:
    url = hooks.registered[0].url if hooks.registered else ""
    return 200, {"code": "SUCCESS", "results": {"device_id": "till", "webhook_url": url}}


def _set_gowa_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    hooks.registered = [PretendHook(body["webhook_url"], body["webhook_secret"])]
    return _find_gowa_webhook(hooks, body)


def _find_wuzapi_webhook(hooks: PretendHooks, _: Mapping[str, Any]) -> Answer:
    return 200, {"code": 200, "data": {"subscribe": ["Message"], "webhook": hooks.only().url}, "success": True}


def _set_wuzapi_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    hooks.only().url = body["webhookURL"]
    return _find_wuzapi_webhook(hooks, body)


def _set_wuzapi_key(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    if len(body["hmac_key"]) < 32:
        return 400, {"code": 400, "error": "HMAC key must be at least 32 characters long", "success": False}
    hooks.only().key = body["hmac_key"]
    return 200, {"code": 200, "data": {"Details": "HMAC configuration saved successfully"}, "success": True}


def _find_meta_webhooks(hooks: PretendHooks, _: Mapping[str, Any]) -> Answer:
    return 200, {"data": [{"override_callback_uri": hook.url} for hook in hooks.registered]}


def _set_meta_webhook(hooks: PretendHooks, body: Mapping[str, Any]) -> Answer:
    """Verify the address first. The key is the app's, which no call sets."""
    query = {"hub.mode": "subscribe", "hub.verify_token": body["verify_token"], "hub.challenge": "1158201444"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{body['override_callback_uri']}?{urlencode(query)}", timeout=TIMEOUT_SECONDS)
    if (answer.status_code, answer.text) != (200, query["hub.challenge"]):
        return 400, {"error": {"code": 2200, "message": "Callback verification failed"}}
    hooks.only().url = body["override_callback_uri"]
    return 200, {"success": True}


_Handle: TypeAlias = Callable[[PretendHooks, Mapping[str, Any]], Answer]
_ROUTES: Final[list[tuple[str, str, str, _Handle]]] = [
    ("waha", "GET", "/api/sessions", lambda hooks, body: (200, [_waha_session(hooks, body)[1]])),
    ("waha", "GET", "/api/sessions/([^/]+)", _waha_session),
    ("waha", "PUT", "/api/sessions/([^/]+)", _set_waha_webhooks),
    ("openwa", "GET", "/api/sessions", lambda _, __: (200, [{"id": SESSIONS["openwa"], "status": "ready"}])),
    ("openwa", "GET", "/api/sessions/([^/]+)/webhooks", lambda hooks, _: (200, [h.fields for h in hooks.registered])),
    ("openwa", "POST", "/api/sessions/([^/]+)/webhooks", _add_openwa_webhook),
    ("openwa", "PUT", "/api/sessions/([^/]+)/webhooks/wh_1", _change_openwa_webhook),
    ("openwa", "POST", "/api/sessions/([^/]+)/webhooks/wh_1/test", _test_openwa_webhook),
    ("evolution", "GET", "/instance/fetchInstances", lambda _, __: (200, [{"name": SESSIONS["evolution"]}])),
    ("evolution", "GET", "/webhook/find/([^/]+)", _find_evolution_webhook),
    ("evolution", "POST", "/webhook/set/([^/]+)", _set_evolution_webhook),
    ("gowa", "GET", "/devices/([^/]+)/webhook", _find_gowa_webhook),
    ("gowa", "PATCH", "/devices/([^/]+)/webhook", _set_gowa_webhook),
    ("wuzapi", "GET", "/webhook", _find_wuzapi_webhook),
    ("wuzapi", "POST", "/webhook", _set_wuzapi_webhook),
    ("wuzapi", "POST", "/session/hmac/config", _set_wuzapi_key),
    ("meta", "GET", "/([0-9]+)/subscribed_apps", _find_meta_webhooks),
    ("meta", "POST", "/([0-9]+)/subscribed_apps", _set_meta_webhook),
]
"""Kind, method, path with the session as its first group, and the handler."""
