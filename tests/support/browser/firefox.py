"""Drives Debian's Firefox by Marionette, the protocol of geckodriver: JSON over a socket, one answer for each command.

Playwright speaks WebDriver BiDi with Mozilla's Firefox, but needs a command that Firefox ESR does not know
(`emulation.setMediaFeaturesOverride`), and Debian has no geckodriver. https://firefox-source-docs.mozilla.org/testing/marionette/
"""

import base64
import itertools
import json
import os
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dev.embedded import child_process
from dev.embedded.child_process import wait_until
from tests.support import requirements

TIMEOUT_SECONDS = 30.0
"""The maximum time for the start, for a response, and until something appears, in seconds."""
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's id (W3C WebDriver)."""
_PREFERENCES = {
    "marionette.port": 0,
    "intl.accept_languages": "en-GB, en",
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
_VISIBLE_TEXTS = """
return [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility()).map((one) => one.innerText);
"""


class Firefox:
    """A browser window with an empty profile."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = connection.makefile("rb")
        self._numbers = itertools.count(1)
        self._read()  # the greeting
        self._command("WebDriver:NewSession", capabilities={})

    def open(self, url: str) -> None:
        self._command("WebDriver:Navigate", url=url)

    def texts(self, selector: str) -> list[str]:
        """Return the visible texts of the elements."""
        return self._command("WebDriver:ExecuteScript", script=_VISIBLE_TEXTS, args=[selector])["value"]

    def expect_texts(self, selector: str, *texts: str) -> None:
        """Wait until the elements have these texts."""
        wait_until(lambda: self.texts(selector) == [*texts], TIMEOUT_SECONDS)
        assert self.texts(selector) == [*texts], selector

    def click(self, selector: str) -> None:
        """Click on the first of the elements once it exists, as a mouse does."""
        wait_until(lambda: bool(self.texts(selector)), TIMEOUT_SECONDS)
        self._command("WebDriver:ElementClick", id=self._find(selector))

    def type(self, selector: str, text: str) -> None:
        """Type into the element. A line break presses the Enter key."""
        wait_until(lambda: bool(self.texts(selector)), TIMEOUT_SECONDS)
        self._command("WebDriver:ElementSendKeys", id=self._find(selector), text=text.replace("\n", "\ue007"))

    def save_screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._command("WebDriver:TakeScreenshot", full=False)["value"]))

    def _find(self, selector: str) -> str:
        return self._command("WebDriver:FindElement", using="css selector", value=selector)["value"][ELEMENT]

    def _command(self, name: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        message = json.dumps([0, next(self._numbers), name, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._read()
        assert error is None, f"{name}: {error}"
        return result

    def _read(self) -> Any:  # noqa: ANN401 - JSON
        length = b""
        while (character := self._received.read(1)) != b":":
            assert character, "Firefox closed the connection"
            length += character
        return json.loads(self._received.read(int(length)))


@contextmanager
def running_firefox(profile: Path) -> Generator[Firefox]:
    """Run Firefox without a window until the end of the block; its profile is an empty folder."""
    requirements.require("firefox")
    preferences = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(preferences))
    command = [str(requirements.FIREFOX), "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    environment = {**os.environ, "HOME": str(profile), "TZ": "Asia/Kolkata"}
    process = child_process.start(command, subprocess.DEVNULL, environment=environment)
    try:
        port_file = profile / "MarionetteActivePort"
        assert wait_until(lambda: port_file.exists() and port_file.read_text().isdecimal(), TIMEOUT_SECONDS)
        with socket.create_connection(("127.0.0.1", int(port_file.read_text())), TIMEOUT_SECONDS) as connection:
            yield Firefox(connection)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_SECONDS)
