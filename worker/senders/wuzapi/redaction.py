"""Removes files and the user's API token from wuzapi's bodies; older versions send the token beside the event.

A file is not part of the history, and may be a thousand times as large as its event.
"""

import re
from typing import Final

from ingest.queue import form_data

_IN_FORM: Final = re.compile(rb"(^|&)token=[^&]*+")
_IN_JSON: Final = re.compile(rb'("token"\s*+:\s*+)"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def redact(body: bytes) -> bytes:
    """Return the body without the token and the content of a file. Every other byte is unchanged."""
    if form_data.is_form_data(body):
        parts = form_data.split(body)
        kept = [part._replace(content=b"") if part.is_file or part.name == b"token" else part for part in parts]
        return form_data.join(body, kept) if parts else body
    if body[:1] == b"{":
        return _IN_JSON.sub(rb"\1null", body)
    return _IN_FORM.sub(rb"\1token=", body)
