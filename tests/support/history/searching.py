"""Searches for messages once all of them are indexed."""

import time
from typing import Any

from tests.support.history.history_writer import ApiClient


def search(client: ApiClient, q: str, **parameters: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return the results of a query after all messages were indexed."""
    while not (data := client.get_data("/api/search", q=q, **parameters))["complete"]:
        time.sleep(0.05)
    return data


def texts(client: ApiClient, q: str, **parameters: str | int) -> list[str]:
    """Return the text or the caption of each result."""
    return [one["message_text"] or one["caption"] for one in search(client, q, **parameters)["results"]]
