"""Notifies devices of new messages from a thread. If there are several processes, one at a time reads the news.

News is claimed before it is sent, so a notification may be lost but never arrives twice.
"""

import itertools
import logging
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from api.http.database import Database
from api.push import endpoints
from api.push.delivery import Delivery, PushClient
from api.push.settings import PushSettings
from store.access import push_subscriptions, session_directory
from store.access.push_subscriptions import Recipient, Subscription
from store.postgres import errors
from store.reading import news
from store.reading.news import NewsItem

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
"""The time between two checks for news if a device is subscribed, in seconds."""
_IDLE_SECONDS = 2.0
_ERROR_SECONDS = 15.0
_ROUND_SECONDS = 20.0
"""The time in which the notifications of one check are sent, in seconds. Later ones are dropped."""
_VALID_SECONDS = 0.5
"""The time after which a notification that waited for slow push services is checked again, in seconds."""
_MAX_AT_ONCE = 5
"""The maximum number of chats in the notifications for one device per check. More would displace these."""
_SENDERS = 8


@dataclass(frozen=True, slots=True)
class Notification:
    subscription: Subscription
    item: NewsItem
    claimed_at: float
    """The time at which the device was allowed to receive it, by the monotonic clock."""


class PushSender:
    """A thread that sends until `stop`. `signing_mark` stands for API_TOKEN (api/push/routes.py)."""

    def __init__(self, database: Database, settings: PushSettings, signing_mark: str) -> None:
        self._database = database
        self._hosts = settings.hosts
        self._signing_mark = signing_mark
        self._push_client = PushClient(settings.key, settings.contact)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait until the current notifications are sent."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(_SENDERS, "push") as senders, closing(self._push_client):
            pause = 0.0
            while not self._stopping.wait(pause):
                try:
                    found = self._claim()
                    pause = _IDLE_SECONDS if found is None else INTERVAL_SECONDS
                    if found:
                        self._send_all(senders, found)
                except errors.StoreError as error:
                    log.warning("devices are not notified: %s", error)
                    pause = _ERROR_SECONDS

    def _claim(self) -> list[Notification] | None:
        """Return the notifications to send now, or None if no device is subscribed."""
        with self._database.write_pool.connection() as connection, errors.translated(), connection.transaction():
            if not push_subscriptions.exist(connection):
                return None
            found = news.claim(connection)
            if not found:
                return []
            recipients = push_subscriptions.find_recipients(
                connection, self._signing_mark, [item.chat_id for item in found]
            )
            directory = session_directory.read(connection)
        claimed_at = time.monotonic()
        notifications: list[Notification] = []
        for recipient in recipients:
            sessions = None if recipient.token is None else recipient.token.session_ids
            visible = None if sessions is None else frozenset(directory.expand(sessions))
            notifications += [
                Notification(recipient.subscription, item, claimed_at) for item in _wanted(recipient, visible, found)
            ]
        return notifications

    def _send_all(self, senders: ThreadPoolExecutor, notifications: list[Notification]) -> None:
        deadline = time.monotonic() + _ROUND_SECONDS
        outcomes: Counter[str] = Counter()
        deliveries = senders.map(self._send, notifications, itertools.repeat(deadline))
        for notification, delivery in zip(notifications, deliveries, strict=True):
            outcomes[delivery.outcome] += 1
            if delivery.is_gone or delivery.wait_seconds:
                with self._database.write_pool.connection() as connection:
                    if delivery.is_gone:
                        push_subscriptions.remove(connection, [notification.subscription.endpoint])
                    else:
                        push_subscriptions.pause(connection, notification.subscription.endpoint, delivery.wait_seconds)
        if set(outcomes) - {Delivery.SENT}:
            log.warning("notifications: %s", ", ".join(f"{count} {name}" for name, count in outcomes.most_common()))

    def _send(self, notification: Notification, deadline: float) -> Delivery:
        endpoint = notification.subscription.endpoint
        if not endpoints.is_allowed(endpoint, self._hosts):
            return Delivery("not in PUSH_HOSTS", is_gone=True)
        now = time.monotonic()
        is_late = now >= deadline or self._stopping.is_set()
        if is_late or (now - notification.claimed_at > _VALID_SECONDS and self._is_obsolete(notification)):
            return Delivery("dropped")
        return self._push_client.send(notification.subscription, notification.item, deadline - now)

    def _is_obsolete(self, notification: Notification) -> bool:
        """Return whether the device may no longer receive the notification, or its message was erased or deleted."""
        with self._database.write_pool.connection() as connection, errors.translated():
            return not (
                push_subscriptions.is_valid(connection, notification.subscription)
                and news.is_current(connection, notification.item)
            )


def _wanted(recipient: Recipient, visible: frozenset[str] | None, found: list[NewsItem]) -> list[NewsItem]:
    """Return the newest items that the device should show, at most _MAX_AT_ONCE."""
    wanted = [
        item
        for item in found
        if item.chat_id not in recipient.muted and (visible is None or item.session_id in visible)
    ]
    return wanted[:_MAX_AT_ONCE]
