"""Runs a server of the standard library in a thread."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from socketserver import BaseServer

POLL_SECONDS = 0.02
"""The time in which a server notices that it must stop, in seconds."""


@contextmanager
def serving(server: BaseServer) -> Generator[None]:
    """Serve requests in a thread until the block ends, then close the server."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    with server:
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
