"""Collects the text of a message from its protobuf fields, with one list of places per type."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from worker.senders.reasons import NoFactsError
from worker.senders.whatsapp import json_document, proto, text
from worker.senders.whatsapp.json_document import JsonObject

_BUTTONS = ("hydratedButtons", "buttons")
_MEDIA: Final = (
    *("imageMessage.caption", "videoMessage.caption", "documentMessage.caption", "documentMessage.fileName"),
    *("locationMessage.name", "productMessage.product.title"),
)
"""The text of the picture, file or product above a message."""
_TEMPLATE: Final = (
    *_MEDIA,
    *("hydratedTitleText", "title", "content", "hydratedContentText", "hydratedFooterText", "footer"),
    *(f"{buttons}[].{kind}.displayText" for buttons in _BUTTONS for kind in ("quickReplyButton", "urlButton")),
    *(f"{buttons}[].callButton.displayText" for buttons in _BUTTONS),
)
_SECTIONS: Final = ("sections[].title", "sections[].rows[].title", "sections[].rows[].description")
_FLOW_BUTTON: Final = ("display_text", "title", *_SECTIONS, "order.items[].name", "additional_note")
_INTERACTIVE: Final = (
    *(*(f"header.{place}" for place in _MEDIA), "header.title", "header.text", "header.subtitle"),
    *("body.text", "footer.text"),
    *(f"nativeFlowMessage.buttons[].buttonParamsJson{{}}.{place}" for place in _FLOW_BUTTON),
    *("action.button", "action.buttons[].reply.title", *(f"action.{place}" for place in _SECTIONS)),
    *("button_reply.title", "list_reply.title", "list_reply.description"),
    *("nfm_reply.body", "nfm_reply.response_json{*}", "call_permission_reply.response"),
)
_CARDS: Final = tuple(f"carouselMessage.cards[].{place}" for place in _INTERACTIVE)
_POLL: Final = ("name", "options[].optionName", "options[].name", "pollVotes[].optionName")
_INVITE: Final = ("groupName", "newsletterName", "caption", "text")
_PAYMENT: Final = ("noteMessage!", "note")
_CONTACT: Final = (
    *("displayName", "contacts[].displayName", "name.formatted_name", "contacts[].name.formatted_name"),
    *("vcard#", "contacts[].vcard#"),
)
_LOCATION: Final = ("name", "address", "comment", "caption", "description")
_PRODUCT: Final = ("body", "product.title", "product.description", "catalog.title", "catalog.description", "footer")

PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "buttonsMessage": (*_MEDIA, "text", "contentText", "footerText", "buttons[].buttonText.displayText"),
    "buttonsResponseMessage": ("selectedDisplayText",),
    "listMessage": (
        *("title", "description", "buttonText", "footerText", *_SECTIONS),
        "productListInfo.productSections[].title",
    ),
    "listResponseMessage": ("title", "description"),
    "templateMessage": (
        *(f"hydratedTemplate.{place}" for place in _TEMPLATE),
        *(f"hydratedFourRowTemplate.{place}" for place in _TEMPLATE),
        *(f"fourRowTemplate.{place}" for place in _TEMPLATE),
        *(f"interactiveMessageTemplate.{place}" for place in (*_INTERACTIVE, *_CARDS)),
    ),
    "templateButtonReplyMessage": ("selectedDisplayText",),
    "highlyStructuredMessage": (
        *(f"hydratedHsm.hydratedTemplate.{place}" for place in _TEMPLATE),
        *("params[]", "localizableParams[].default"),
    ),
    "interactiveMessage": (*_INTERACTIVE, *_CARDS),
    "interactiveResponseMessage": ("body.text", "nativeFlowResponseMessage.paramsJson{*}"),
    "groupInviteMessage": _INVITE,
    "newsletterAdminInviteMessage": _INVITE,
    "newsletterFollowerInviteMessageV2": _INVITE,
    **dict.fromkeys(("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3"), _POLL),
    **dict.fromkeys(("pollCreationMessageV4", "pollCreationMessageV5", "pollCreationMessageV6"), _POLL),
    **dict.fromkeys(("pollResultSnapshotMessage", "pollResultSnapshotMessageV3"), _POLL),
    "pollAddOptionMessage": ("addOption.optionName",),
    "orderMessage": ("message", "orderTitle"),
    "productMessage": _PRODUCT,
    "invoiceMessage": ("note",),
    **dict.fromkeys(("sendPaymentMessage", "requestPaymentMessage"), _PAYMENT),
    "eventMessage": ("name", "description", "location.name", "location.address", "joinLink"),
    "eventInviteMessage": ("eventTitle", "caption"),
    "scheduledCallCreationMessage": ("title",),
    **dict.fromkeys(("contactMessage", "contactsArrayMessage"), _CONTACT),
    **dict.fromkeys(("locationMessage", "liveLocationMessage"), _LOCATION),
    "stickerPackMessage": ("name", "publisher", "caption"),
    "richResponseMessage": (
        *("submessages[].messageText", "submessages[].tableMetadata.title"),
        *("submessages[].tableMetadata.rows[].items[]", "submessages[].codeMetadata.codeBlocks[].codeContent"),
    ),
    # The texts of gateways that pass on the Cloud API's objects.
    "interactive": _INTERACTIVE,
    "button": ("text",),
    "button_reply": ("title",),
    "list_reply": ("title", "description"),
    "order": ("text", "message", "orderTitle"),
    "location": _LOCATION,
    "contacts": _CONTACT,
    "poll": _POLL,
    "event": ("name", "description", "location.name"),
    "system": ("body",),
    "template": ("text", "body", *_TEMPLATE),
}
"""The places of the text by type, in the order in which they are read.

A place is a path of keys. `[]` iterates over a list, `{}` reads JSON in a string, `{*}` reads all answers of a form
from JSON in a string, `!` reads a message and `#` the name in a vCard.
"""

_IDS: Final[Mapping[str, tuple[str, ...]]] = {
    "buttonsResponseMessage": ("selectedButtonId",),
    "listResponseMessage": ("singleSelectReply.selectedRowId",),
    "templateButtonReplyMessage": ("selectedId",),
    "interactiveResponseMessage": ("nativeFlowResponseMessage.paramsJson{}.id",),
    "interactive": ("button_reply.id", "list_reply.id"),
    "button": ("payload",),
    "order": ("product_items[].product_retailer_id",),
}
"""The places of a reply's id, which often shows what was chosen if the reply has no text."""
_COMMON_PLACES: Final = (
    *("title", "name", "text", "body", "body.text", "caption", "description", "note", "displayName", "contentText"),
    *("message", "message!"),
)
"""The places for types that are not in `PLACES`."""
_FORM_KEYS: Final = frozenset({"title", "display_text", "description", "text", "name"})
"""Keys of a form's answers that add nothing to the answer."""
_HIDDEN_FORM_KEYS: Final = frozenset({"flow_token", "id", "wa_flow_response_params", "version"})
_VCARD_NAME_PATTERN: Final = re.compile(r"^FN(?:;(?!ENCODING)[^:;\r\n]*)*:([^\r\n]+)", re.MULTILINE | re.IGNORECASE)


def collect(message_type: str, fields: JsonObject) -> str | None:
    """Return the text of a message of this type, one line per place, or None if it has none."""
    for places in (PLACES.get(message_type, _COMMON_PLACES), _IDS.get(message_type, ())):
        found = dict.fromkeys(words for place in places for words in _values_at(fields, place.split(".")))
        if found:
            return text.message_text("\n".join(found))
    return None


def of_message(message: JsonObject) -> str | None:
    """Return the text or caption of a protobuf message, or None if it has none."""
    unwrapped = proto.unwrap(message)
    if unwrapped is None:
        return None
    name, fields = unwrapped
    for key in ("text", "caption", "conversation"):
        value = fields.get(key)
        if isinstance(value, str) and value:
            return text.message_text(value)
    return collect(name, fields)


def of_vcards(cards: Iterable[object]) -> str | None:
    """Return the names in vCards, one per line, or None if there are none."""
    return collect("contactsArrayMessage", {"contacts": [{"vcard": card} for card in cards]})


def _values_at(value: object, steps: list[str]) -> Iterator[str]:
    """Yield the strings and numbers at a place."""
    if not steps:
        if isinstance(value, str) and value.strip():
            yield value.strip()
        return
    fields = json_document.as_object(value)
    if fields is None:
        return
    key = steps[0].rstrip("[]{*}!#")
    inner, rest = fields.get(key), steps[1:]
    match steps[0].removeprefix(key):
        case "[]":
            for item in json_document.as_list(inner) or ():
                yield from _values_at(item, rest)
        case "{}":
            yield from _values_at(_decode(inner), rest)
        case "{*}":
            yield from _answers(_decode(inner))
        case "!":
            message = json_document.as_object(inner)
            words = None if message is None else of_message(message)
            yield from () if words is None else (words,)
        case "#":
            found = _VCARD_NAME_PATTERN.search(inner) if isinstance(inner, str) else None
            yield from () if found is None else _values_at(re.sub(r"\\([,;\\])", r"\1", found[1]), rest)
        case _:
            yield from _values_at(inner, rest)


def _decode(value: object) -> JsonObject | None:
    """Return the JSON object in a string."""
    if not isinstance(value, str):
        return json_document.as_object(value)
    try:
        return json_document.decode(value.encode("utf-8", "surrogatepass"))
    except NoFactsError:
        return None


def _answers(fields: JsonObject | None) -> Iterator[str]:
    """Yield the answers of a form, each with the name of its field if that is informative."""
    for name, value in (fields or {}).items():
        if name in _HIDDEN_FORM_KEYS:
            continue
        values = json_document.as_list(value) or [value]
        answers = [_answer(one) for one in values if isinstance(one, str | int | float)]
        answer = ", ".join(one for one in answers if one)
        if answer:
            yield answer if name in _FORM_KEYS else f"{name}: {answer}"
        for one in values:
            yield from _answers(json_document.as_object(one))


def _answer(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
