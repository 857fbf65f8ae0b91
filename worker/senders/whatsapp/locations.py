"""Returns the text of a location message: its names, or its coordinates."""

import re
from typing import Final

from worker.senders.whatsapp import text
from worker.senders.whatsapp.json_document import JsonObject

_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{1,20})?", re.ASCII)


def describe(fields: JsonObject, names: tuple[str, ...], coordinates: tuple[str, str]) -> str | None:
    """Return the texts under `names`, one per line, or else the coordinates, or None if there is neither."""
    words = dict.fromkeys(word for name in names if (word := text.label(fields.get(name), text.MAX_NAME)))
    if words:
        return "\n".join(words)
    latitude, longitude = (_degrees(fields.get(name)) for name in coordinates)
    return None if latitude is None or longitude is None else f"{latitude}, {longitude}"


def _degrees(value: object) -> str | None:
    if type(value) in (int, float):
        return str(value)
    return value if isinstance(value, str) and _DEGREES.fullmatch(value) else None
