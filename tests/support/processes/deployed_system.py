"""Finds ports for processes that another program starts, and reads their readiness and their API."""

import random
import socket

import requests

API_TOKEN = "made-up-token-0123456789"
PHONE = "919812345679"


def is_free(port: int) -> bool:
    """Return True if nothing listens on the port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports() -> dict[str, int]:
    """Return a port for each process. The ports are random, because other tests look for free ports, too."""
    free = (port for port in random.sample(range(17000, 21000), 1000) if is_free(port))
    return {name: next(free) for name in ("ingest", "worker", "api")}


def responds(url: str) -> bool:
    """Return True if the URL responds with a success status."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def message_texts(port: int) -> list[str]:
    """Return the texts of the chat with PHONE, from the API on the port."""
    url = f"http://127.0.0.1:{port}/api/chats/{PHONE}"
    response = requests.get(url, headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=20)
    return [message["message_text"] for message in response.json()["data"]["messages"]]
