"""Converts the responses of gateways to sends into the results that are recorded."""

from api.gateway.payloads import SendResponse
from store.sending.sends import SendResult


def from_response(response: SendResponse) -> SendResult:
    if response.status == "sent":
        return SendResult("sent", message_id=valid_message_id(response.message_id))
    if response.status == "queued":
        return SendResult("queued", gateway_id=valid_message_id(response.message_id))
    cause = f": {response.reason}" if response.reason else " and gave no reason"
    return SendResult("failed", code="failed", reason=f"SAK could not send it{cause}")


def valid_message_id(message_id: str | None) -> str | None:
    """Return the id if it can be stored, else None."""
    return message_id if message_id and len(message_id) <= 200 and message_id.isprintable() else None
