"""Explains gateways' error codes for failed messages, as sentences without a full stop."""

from collections.abc import Mapping
from typing import Final

_TOO_FAST: Final = "WhatsApp limits the rate of messages: wait before you send more"

META: Final[Mapping[str, str]] = {
    "131047": (
        "more than 24 hours have passed since the customer's last message, and WhatsApp then delivers only approved "
        "templates: send a template with Meta's tools, or wait until the customer writes"
    ),
    "131026": "WhatsApp cannot deliver it: the number has no WhatsApp, or the person does not accept it",
    "131049": "WhatsApp does not deliver it, because the person gets too many messages of businesses",
    "131050": "the person does not want marketing messages of this business",
    "130472": "WhatsApp does not deliver it, because the person is in an experiment without marketing messages",
    "130497": "WhatsApp does not let businesses of this kind write to people in that country",
    "131021": "the recipient is the business's own number",
    "131051": "WhatsApp does not support this type of message",
    "131052": "WhatsApp could not load the file that the customer sent",
    "131053": "WhatsApp could not load the file: its type or its size is not accepted",
    "131042": "Meta has no valid way to be paid: correct the payment settings of the WhatsApp Business account",
    "131031": "Meta has locked the WhatsApp Business account",
    "368": "Meta has blocked the WhatsApp Business account for breaking its rules, for now",
    "131045": "the number's registration at Meta is not valid: register it again",
    "133010": "the number is not registered at Meta: register it",
    "131057": "Meta maintains the WhatsApp Business account, and it cannot send meanwhile: try again later",
    "131016": "Meta's service is overloaded or not available: try again later",
    "130429": _TOO_FAST,
    "131056": "WhatsApp limits the rate of messages to one person: wait before you send the next",
    "131048": "WhatsApp limits this number, because people blocked it or called its messages spam",
    "80007": _TOO_FAST,
    "4": _TOO_FAST,
    "190": "the access token has expired or was withdrawn: set another as api_key",
}
"""The error codes of Meta in answers and in statuses."""
