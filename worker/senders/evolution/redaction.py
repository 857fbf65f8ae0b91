"""Takes Evolution's API token out of its bodies, which name it beside every event."""

import re
from typing import Final

_TOKEN: Final = re.compile(rb'("apikey"\s*+:\s*+)"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def redact(body: bytes) -> bytes:
    """The body with null in place of the token; every other byte is unchanged."""
    return _TOKEN.sub(rb"\1null", body)
