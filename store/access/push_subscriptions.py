"""Stores the devices that are notified of new messages, each with its token and the sign-in that subscribed it."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

from store.access import signouts, tokens
from store.access.tokens import Token
from store.postgres import errors
from store.postgres.connections import Connection

MAX_OF_TOKEN = 50
"""The maximum number of devices of one token. A new one replaces those that expire first."""
_LIFETIME_DAYS = 30
"""The number of days for which a device stays subscribed after it last opened the dashboard."""


@dataclass(frozen=True, slots=True)
class Subscription:
    endpoint: str
    p256dh: bytes
    auth: bytes
    token_id: int | None
    """None if the client used API_TOKEN."""
    nonce: str | None
    """The sign-in; None if the client used a token directly."""
    shows_text: bool
    has_sound: bool


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device that may be notified now."""

    subscription: Subscription
    token: Token | None
    """None if it is API_TOKEN."""
    muted: frozenset[int]
    """Those of the requested chats that the device has muted."""


def save(  # noqa: PLR0913 - the columns, and what limits them
    connection: Connection,
    subscription: Subscription,
    *,
    signing_mark: str,
    muted: Collection[tuple[str, str]],
    visible: Sequence[str] | None,
    ends_at: datetime | None,
) -> None:
    """Add or renew a device, until `ends_at` at the latest.

    `signing_mark` is derived from API_TOKEN, so that a new API_TOKEN ends the subscription. `muted` contains the
    sessions and addresses of chats; chats of sessions outside `visible` are ignored.
    """
    digest = _digest(subscription.endpoint)
    with errors.translated(), connection.transaction():
        connection.execute(
            """
            DELETE FROM push_subscriptions
            WHERE expires_at < now() OR digest IN (
                SELECT p.digest
                FROM push_subscriptions AS p
                WHERE p.token_id IS NOT DISTINCT FROM %(token_id)s AND p.digest <> %(digest)s
                ORDER BY p.expires_at DESC, p.digest
                OFFSET %(others)s
            )
            """,
            {"token_id": subscription.token_id, "digest": digest, "others": MAX_OF_TOKEN - 1},
        )
        connection.execute(
            """
            INSERT INTO push_subscriptions (
                digest, endpoint, p256dh, auth, token_id, nonce, signing_mark, shows_text, has_sound, expires_at
            )
            VALUES (
                %(digest)s, %(endpoint)s, %(p256dh)s, %(auth)s, %(token_id)s, %(nonce)s, %(signing_mark)s,
                %(shows_text)s, %(has_sound)s, least(now() + make_interval(days => %(days)s), %(ends_at)s::timestamptz)
            )
            ON CONFLICT (digest) DO UPDATE
            SET p256dh = excluded.p256dh, auth = excluded.auth, token_id = excluded.token_id, nonce = excluded.nonce,
                signing_mark = excluded.signing_mark, shows_text = excluded.shows_text,
                has_sound = excluded.has_sound, expires_at = excluded.expires_at
            """,
            {
                **asdict(subscription),
                "digest": digest,
                "signing_mark": signing_mark,
                "days": _LIFETIME_DAYS,
                "ends_at": ends_at,
            },
        )
        connection.execute("DELETE FROM push_mutes WHERE digest = %s", [digest])
        connection.execute(
            """
            INSERT INTO push_mutes (digest, chat_id)
            SELECT DISTINCT %(digest)s, c.chat_id
            FROM unnest(%(sessions)s::text[], %(addresses)s::text[]) AS muted (session_id, address)
            JOIN chats AS c USING (session_id, address)
            WHERE %(visible)s::text[] IS NULL OR c.session_id = ANY(%(visible)s)
            """,
            {
                "digest": digest,
                "sessions": [session_id for session_id, _ in muted],
                "addresses": [address for _, address in muted],
                "visible": None if visible is None else list(visible),
            },
        )


def remove(connection: Connection, endpoints: Iterable[str]) -> None:
    with errors.translated():
        connection.execute(
            "DELETE FROM push_subscriptions WHERE digest = ANY(%s)", [[_digest(endpoint) for endpoint in endpoints]]
        )


def remove_of_sign_in(connection: Connection, nonce: str) -> None:
    with errors.translated():
        connection.execute("DELETE FROM push_subscriptions WHERE nonce = %s", [nonce])


def pause(connection: Connection, endpoint: str, seconds: int) -> None:
    """Send nothing to the device for `seconds`."""
    with errors.translated():
        connection.execute(
            "UPDATE push_subscriptions SET paused_until = now() + make_interval(secs => %s) WHERE digest = %s",
            [seconds, _digest(endpoint)],
        )


def find_recipients(connection: Connection, signing_mark: str, chat_ids: Collection[int]) -> list[Recipient]:
    """Return the devices that may be notified. Remove those whose token, sign-in or API_TOKEN has ended."""
    connection.execute("DELETE FROM push_subscriptions WHERE expires_at < now() OR signing_mark <> %s", [signing_mark])
    rows = connection.execute(
        """
        SELECT p.endpoint, p.p256dh, p.auth, p.token_id, p.nonce, p.shows_text, p.has_sound,
            ARRAY(
                SELECT c.canonical_chat_id
                FROM push_mutes AS m
                JOIN chats AS c USING (chat_id)
                WHERE m.digest = p.digest AND c.canonical_chat_id = ANY(%s)
            )
        FROM push_subscriptions AS p
        WHERE p.paused_until IS NULL OR p.paused_until < now()
        -- In random order, so that a lack of time affects other devices each time.
        ORDER BY random()
        """,
        [list(chat_ids)],
    ).fetchall()
    found = [
        (Subscription(*row[:7]), frozenset(row[7]))
        for row in cast("list[tuple[str, bytes, bytes, int | None, str | None, bool, bool, list[int]]]", rows)
    ]
    ended = signouts.find_ended(connection, {one.nonce for one, _ in found if one.nonce is not None})
    ids = {one.token_id for one, _ in found if one.token_id is not None}
    valid = {token.token_id: token for token in tokens.find_active(connection, ids)}
    recipients: list[Recipient] = []
    invalid: list[str] = []
    for one, muted in found:
        token = None if one.token_id is None else valid.get(one.token_id)
        if one.nonce in ended or (one.token_id is not None and (token is None or "read" not in token.scopes)):
            invalid.append(one.endpoint)
        else:
            recipients.append(Recipient(one, token, muted))
    if invalid:
        remove(connection, invalid)
    return recipients


def is_valid(connection: Connection, subscription: Subscription) -> bool:
    """Return whether the device is still subscribed, and neither its token nor its sign-in has ended."""
    row = connection.execute(
        "SELECT FROM push_subscriptions WHERE digest = %s AND expires_at > now()", [_digest(subscription.endpoint)]
    ).fetchone()
    token_id, nonce = subscription.token_id, subscription.nonce
    return (
        row is not None
        and (token_id is None or tokens.find_by_id(connection, token_id) is not None)
        and (nonce is None or not signouts.is_signed_out(connection, nonce))
    )


def exist(connection: Connection) -> bool:
    return connection.execute("SELECT FROM push_subscriptions LIMIT 1").fetchone() is not None


def _digest(endpoint: str) -> bytes:
    return hashlib.sha256(endpoint.encode()).digest()
