"""Describes a place in words."""

from worker.senders.whatsapp import text
from worker.senders.whatsapp.json_document import JsonObject


def describe(fields: JsonObject, names: tuple[str, ...], coordinates: tuple[str, str]) -> str | None:
    """The words under `names`, a line each; without any, the latitude and longitude; None if there is neither."""
    words = dict.fromkeys(word for name in names if (word := text.label(fields.get(name), text.MAX_NAME)))
    if words:
        return "\n".join(words)
    latitude, longitude = (fields.get(name) for name in coordinates)
    if type(latitude) in (int, float) and type(longitude) in (int, float):
        return f"{latitude}, {longitude}"
    return None
