"""Records notifications in a browser, and stands in for its push service."""

import json
from typing import Any

from playwright.sync_api import Page, Worker

from dev.embedded.child_process import wait_until
from tests.support.browser.browser import BrowserUser

SUBSCRIBED = """
{
    const keys = %s;
    const device = {
        endpoint: keys.endpoint,
        toJSON: () => ({ keys }),
        unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; },
    };
    PushManager.prototype.getSubscription = async () => (localStorage.getItem("subscribed") ? device : null);
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
        localStorage.setItem("subscribed", applicationServerKey);
        return device;
    };
}
"""
"""A replacement for the browser's own push service, which is on the Internet."""
RECORDED = """
self.log = [];
const show = self.registration.showNotification.bind(self.registration);
self.registration.showNotification = (title, options) => {
    self.log.push([title, options.body, options.silent]);
    return show(title, options);
};
const all = self.clients.matchAll.bind(self.clients);
const unfocused = (one) => ({ focused: false, postMessage: (data) => one.postMessage(data), focus: async () => one });
self.clients.matchAll = async (options) => (await all(options)).map(unfocused);
"""
"""Records notifications, and simulates pages without the focus, because without a screen every page has it."""
SHOWN = """async () => {
    const worker = await navigator.serviceWorker.getRegistration();
    return (await worker.getNotifications()).map((one) => [one.title, one.body]);
}"""
CLICK = """async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
}"""


def recording_worker(user: BrowserUser) -> Worker:
    user.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    (worker,) = user.context.service_workers
    worker.evaluate(RECORDED)
    return worker


def push(page: Page, url: str, content: object) -> None:
    """Deliver the messages sent to a push service to the service worker."""
    session: Any = page.context.new_cdp_session(page)
    registrations: list[str] = []

    def listen(event: Any) -> None:  # noqa: ANN401 - JSON
        registrations.extend(one["registrationId"] for one in event["registrations"])

    session.on("ServiceWorker.workerRegistrationUpdated", listen)
    session.send("ServiceWorker.enable")
    assert wait_until(lambda: page.evaluate("1") and bool(registrations), 10)
    session.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": url, "registrationId": registrations[-1], "data": json.dumps(content)},
    )
