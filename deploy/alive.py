# ruff: noqa: INP001 - a script, beside files of other kinds
"""Exits with 0 if the process in this container answers `/healthz`: `python deploy/alive.py [PATH]`.

A container runs one process, and each process has its own port, so the script tries all ports.
"""

import os
import sys
import urllib.request

PORTS = ("PORT", "INGEST_PORT", "API_PORT", "WORKER_PORT")
SECONDS = 1.0


def host() -> str:
    """Return HOST, or a loopback address if the process listens on every address."""
    named = os.environ.get("HOST", "")
    if named in {"", "0.0.0.0", "::"}:  # noqa: S104 - recognised, not bound
        return "127.0.0.1"
    return f"[{named}]" if ":" in named else named


def answers(port: str, path: str) -> bool:
    # Proxy settings are ignored, because the process is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host()}:{port}{path}", timeout=SECONDS) as answer:
            return answer.status == 200
    except OSError:  # refused, timed out, or an HTTP error
        return False


def main(arguments: list[str]) -> int:
    path = arguments[0] if arguments else "/healthz"
    ports = [port for name in PORTS if (port := os.environ.get(name))]
    return 0 if any(answers(port, path) for port in ports) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
