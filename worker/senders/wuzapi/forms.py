"""Decodes wuzapi's bodies: a form, a form with a file, or JSON."""

from typing import Final
from urllib.parse import parse_qsl

from ingest.queue import form_data
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import json_document
from worker.senders.whatsapp.json_document import JsonObject

_MAX_FIELDS: Final = 16
_EVENT: Final = "jsonData"
_NAMES: Final = ("instanceName", "userID")


def decode(body: bytes) -> JsonObject:
    """Return the event's fields and the names of the session beside them. Raises NoFactsError."""
    if body[:1] in (b"{", b"[", b""):
        return json_document.decode(body)
    fields = form_data.fields(body) if form_data.is_form_data(body) else _form_fields(body)
    if _EVENT not in fields:
        raise NoFactsError(Reason.NOT_JSON)
    event = json_document.decode(fields[_EVENT].encode())
    return {**event, **{name: fields[name] for name in _NAMES if name in fields}}


def _form_fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except UnicodeDecodeError:
        raise NoFactsError(Reason.NOT_UTF8) from None
    except ValueError:
        raise NoFactsError(Reason.NOT_JSON) from None
