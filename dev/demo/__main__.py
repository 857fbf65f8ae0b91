"""`python -m dev.demo`: runs the simulated gateway of `./run --demo` until a signal stops it."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType

from dev.demo.demo import DemoConversation, DemoSettings
from dev.gateway.server import PretendGateway

SUBSCRIBED_EVENTS = ("message.received", "message.sent", "status.change")


def main(environ: Mapping[str, str] = os.environ) -> int:
    try:
        settings = DemoSettings.from_environ(environ)
    except ValueError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    gateway = PretendGateway(settings.gateway_port, reports=True)
    try:
        gateway.start()
    except OSError as error:
        print(
            f"demo: port {settings.gateway_port} cannot be used ({error.strerror}); GATEWAY_PORT names another",
            file=sys.stderr,
        )
        return 1
    gateway.state.register(settings.webhook_url, SUBSCRIBED_EVENTS, settings.webhook_secret)
    demo = DemoConversation(gateway, settings.seed, settings.second_gateway)
    # A daemon thread, so that a webhook that hangs does not delay the end.
    threading.Thread(target=demo.run, name="demo", daemon=True).start()
    print(f"demo: pretend SAK at {gateway.base_url}, writing to {settings.webhook_url}", flush=True)
    stopped.wait()
    demo.stop()
    gateway.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
