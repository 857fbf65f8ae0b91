"""Lists and sets the webhooks of gateways through the gateways' own interfaces.

Each kind is an entry of `WEBHOOK_APIS`. Responses are read as data of unknown shape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from api.gateway.errors import RefusedError
from api.gateway.senders.sender_responses import GatewayCall, KeyPath, as_object, objects, text, value_at

_MAX_SESSIONS: Final = 100


class SenderWebhook(NamedTuple):
    """A webhook at the gateway."""

    url: str
    id: str | None = None
    is_active: bool = True


class WebhookTarget(NamedTuple):
    """The address to which a gateway should post, and how it authenticates itself."""

    url: str
    key: str
    """The key of its signatures."""
    header: tuple[str, str] | None
    """The name and value of the header that it sends instead of a signature."""
    verify_token: str | None


@dataclass(frozen=True, slots=True)
class WebhookApi:
    """The interface of one kind. Sessions are given by the gateway's own names."""

    webhooks: Callable[[GatewayCall, str], list[SenderWebhook]]
    """Returns the webhooks of a session."""
    put: Callable[[GatewayCall, str, WebhookTarget, SenderWebhook | None], None]
    """Sets the webhook of a session, replacing another one if that is given."""
    sessions: Callable[[GatewayCall], list[str]] | None = None
    """Returns all sessions. None if the gateway does not list them."""
    has_one: bool = True
    """True if a session has only one webhook, so that setting it replaces any other."""
    test: Callable[[GatewayCall, str, SenderWebhook], None] | None = None
    """Makes the gateway post a test event. Raises RefusedError unless it was accepted."""


def find(webhooks: list[SenderWebhook], name: str, url: str) -> SenderWebhook | None:
    """Return the sender's webhook: the one with the URL, or else one with the sender's path on another host."""
    ours = [webhook for webhook in webhooks if urlsplit(webhook.url).path.endswith(f"/webhooks/{name}")]
    return next((webhook for webhook in webhooks if webhook.url == url), ours[0] if ours else None)


def sessions_of(api: WebhookApi, call: GatewayCall) -> list[str]:
    """Return all sessions of the gateway, or none if it does not list them."""
    return [] if api.sessions is None else api.sessions(call)[:_MAX_SESSIONS]


def register(api: WebhookApi, call: GatewayCall, session: str, target: WebhookTarget, *, replace: bool) -> None:
    """Add the target to the webhooks of a session.

    Raises RefusedError if this would replace another webhook and `replace` is not set.
    """
    webhooks = api.webhooks(call, session)
    own = next((webhook for webhook in webhooks if webhook.url == target.url), None)
    if api.has_one and webhooks and own is None and not replace:
        raise RefusedError(
            f"{session} posts to {webhooks[0].url}, and has room for one webhook: with --replace it posts here instead"
        )
    api.put(call, session, target, own)


def _quoted(session: str) -> str:
    return quote(session, safe="")


def _texts_at(value: object, *paths: KeyPath) -> list[str]:
    """Return one text of each object in a list, from the first path that leads to one."""
    texts = (next((found for path in paths if (found := text(value_at(item, path)))), None) for item in objects(value))
    return [each for each in texts if each is not None]


def _waha_config(call: GatewayCall, session: str) -> Mapping[str, object]:
    return as_object(value_at(call("GET", f"/api/sessions/{_quoted(session)}"), ("config",)))


def _waha_webhooks(call: GatewayCall, session: str) -> list[SenderWebhook]:
    return [SenderWebhook(url) for url in _texts_at(_waha_config(call, session).get("webhooks"), ("url",))]


_WAHA_EVENTS: Final = (
    *("message.any", "message.reaction", "message.edited", "message.revoked", "message.ack", "message.ack.group"),
    *("message.waiting", "session.status"),
)


def _put_waha(call: GatewayCall, session: str, target: WebhookTarget, replaced: SenderWebhook | None) -> None:
    config = _waha_config(call, session)
    taken = {target.url, None if replaced is None else replaced.url}
    others = [webhook for webhook in objects(config.get("webhooks")) if webhook.get("url") not in taken]
    proof: dict[str, object] = {"hmac": {"key": target.key}}
    if target.header is not None:
        proof = {"customHeaders": [dict(zip(("name", "value"), target.header, strict=True))]}
    webhooks = [*others, {"url": target.url, "events": list(_WAHA_EVENTS), **proof}]
    call("PUT", f"/api/sessions/{_quoted(session)}", {"config": {**config, "webhooks": webhooks}})


def _openwa_path(session: str, webhook: SenderWebhook | None = None) -> str:
    path = f"/api/sessions/{_quoted(session)}/webhooks"
    return path if webhook is None or webhook.id is None else f"{path}/{_quoted(webhook.id)}"


def _openwa_list(value: object) -> object:
    """Return the list in a response, which newer versions put into `data`."""
    return value_at(value, ("data",)) or value


def _openwa_webhooks(call: GatewayCall, session: str) -> list[SenderWebhook]:
    found = objects(_openwa_list(call("GET", _openwa_path(session))))
    webhooks = [
        (text(webhook.get("url")), text(webhook.get("id")), webhook.get("active") is not False) for webhook in found
    ]
    return [SenderWebhook(url, webhook_id, is_active) for url, webhook_id, is_active in webhooks if url is not None]


def _put_openwa(call: GatewayCall, session: str, target: WebhookTarget, replaced: SenderWebhook | None) -> None:
    proof: dict[str, object] = {"secret": target.key} if target.header is None else {"headers": dict([target.header])}
    method = "POST" if replaced is None or replaced.id is None else "PUT"
    body = {"url": target.url, "events": ["*"], "active": True, **proof}
    call(method, _openwa_path(session, replaced), body if method == "PUT" else {**body, "retryCount": 5})


def _test_openwa(call: GatewayCall, session: str, webhook: SenderWebhook) -> None:
    result = call("POST", f"{_openwa_path(session, webhook)}/test", {})
    if value_at(_openwa_list(result), ("success",)) is False:
        reason = text(value_at(_openwa_list(result), ("error",))) or "no reason given"
        raise RefusedError(f"the test of {webhook.url} failed: {reason}")


_EVOLUTION_EVENTS: Final = (
    *("MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE"),
    *("CONTACTS_UPDATE", "CONNECTION_UPDATE"),
)


def _evolution_webhooks(call: GatewayCall, session: str) -> list[SenderWebhook]:
    webhook = call("GET", f"/webhook/find/{_quoted(session)}")
    url = text(value_at(webhook, ("url",)))
    return [] if url is None else [SenderWebhook(url, None, value_at(webhook, ("enabled",)) is not False)]


def _put_evolution(call: GatewayCall, session: str, target: WebhookTarget, _: SenderWebhook | None) -> None:
    name, value = target.header or ("jwt_key", target.key)
    webhook = {
        "enabled": True,
        "url": target.url,
        "headers": {name: value},
        "byEvents": False,
        "base64": False,
        "events": list(_EVOLUTION_EVENTS),
    }
    call("POST", f"/webhook/set/{_quoted(session)}", {"webhook": webhook})


def _gowa_webhooks(call: GatewayCall, session: str) -> list[SenderWebhook]:
    url = text(value_at(call("GET", f"/devices/{_quoted(session)}/webhook"), ("results", "webhook_url")))
    return [] if url is None else [SenderWebhook(url)]


def _put_gowa(call: GatewayCall, session: str, target: WebhookTarget, _: SenderWebhook | None) -> None:
    body = {"webhook_url": target.url, "webhook_secret": target.key}
    call("PATCH", f"/devices/{_quoted(session)}/webhook", body)


_WUZAPI_EVENTS: Final = (
    *("Message", "UndecryptableMessage", "ReadReceipt", "HistorySync"),
    *("Connected", "Disconnected", "LoggedOut", "PairSuccess", "StreamReplaced"),
)


def _wuzapi_webhooks(call: GatewayCall, _: str) -> list[SenderWebhook]:
    url = text(value_at(call("GET", "/webhook"), ("data", "webhook")))
    return [] if url is None else [SenderWebhook(url)]


def _put_wuzapi(call: GatewayCall, _: str, target: WebhookTarget, __: SenderWebhook | None) -> None:
    # The key comes first, because ingest would reject a webhook without a signature.
    call("POST", "/session/hmac/config", {"hmac_key": target.key})
    call("POST", "/webhook", {"webhookURL": target.url, "events": list(_WUZAPI_EVENTS)})


def _meta_webhooks(call: GatewayCall, account: str) -> list[SenderWebhook]:
    apps = call("GET", f"/{_quoted(account)}/subscribed_apps")
    return [SenderWebhook(url) for url in _texts_at(value_at(apps, ("data",)), ("override_callback_uri",))]


def _put_meta(call: GatewayCall, account: str, target: WebhookTarget, _: SenderWebhook | None) -> None:
    body = {"override_callback_uri": target.url, "verify_token": target.verify_token}
    call("POST", f"/{_quoted(account)}/subscribed_apps", body)


WEBHOOK_APIS: Final[Mapping[str, WebhookApi]] = {
    "waha": WebhookApi(
        _waha_webhooks,
        _put_waha,
        lambda call: _texts_at(call("GET", "/api/sessions?all=true"), ("name",)),
        has_one=False,
    ),
    "openwa": WebhookApi(
        _openwa_webhooks,
        _put_openwa,
        lambda call: _texts_at(_openwa_list(call("GET", "/api/sessions")), ("id",)),
        has_one=False,
        test=_test_openwa,
    ),
    "evolution": WebhookApi(
        _evolution_webhooks,
        _put_evolution,
        lambda call: _texts_at(call("GET", "/instance/fetchInstances"), ("name",), ("instance", "instanceName")),
    ),
    "gowa": WebhookApi(
        _gowa_webhooks,
        _put_gowa,
        lambda call: _texts_at(value_at(call("GET", "/devices"), ("results",)), ("id",), ("device",), ("device_id",)),
    ),
    # The key belongs to one user, who is the session.
    "wuzapi": WebhookApi(_wuzapi_webhooks, _put_wuzapi, lambda _: ["the key's user"]),
    # The session is the id of a WhatsApp Business account, which an access token cannot list.
    "meta": WebhookApi(_meta_webhooks, _put_meta),
}
"""The interfaces by the kind in `senders.toml`. SAK has commands of its own."""
