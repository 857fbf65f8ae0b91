"""Receives the webhooks of the gateway."""

from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

from tests.support.servers.server_thread import serving


class WebhookReceiver:
    """A server that answers webhooks with 200 and keeps them."""

    def __init__(self) -> None:
        self.events: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                events.put((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
                """Suppress the log."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/whatsapp-webhook"


@contextmanager
def running_webhook_receiver() -> Generator[WebhookReceiver]:
    receiver = WebhookReceiver()
    with serving(receiver.server):
        yield receiver
