"""Implements the guide's Flask receiver for gunicorn. It responds once the message is committed."""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from dev.bench.load import sample_webhooks
from dev.bench.references import guide


def create_app(environ: Mapping[str, str] = os.environ) -> Any:  # noqa: ANN401 - flask is installed only for measuring
    """Return a WSGI application."""
    flask: Any = importlib.import_module("flask")
    database_url = environ["DATABASE_URL"]
    app = flask.Flask(__name__)

    def receive() -> tuple[str, int]:
        guide.store_message(database_url, flask.request.get_data())
        return "OK", 200

    app.add_url_rule(sample_webhooks.PATH, view_func=receive, methods=["POST"])
    return app
