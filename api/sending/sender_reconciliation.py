"""Reconciles a send of unknown outcome through a gateway of senders.toml, by its events and then by its list."""

from api.gateway.senders.message_lists import ListedMessage
from api.gateway.senders.sender_client import SenderClient
from api.sending.outbox import Outbox
from store.sending import echoes, unsettled
from store.sending.sends import Send, SendResult


def result(outbox: Outbox, sender: SenderClient, send: Send) -> SendResult | str:
    """Return the outcome, or a sentence with the reason why there is none.

    Raises GatewayError if the gateway does not respond.
    """
    with outbox.pool.connection() as connection:
        found = echoes.find(connection, send.send_id)
    if found.rivals:
        return f"Its message cannot be distinguished from those of {found.rivals} other sends with the same text."
    if len(found.message_ids) > 1:
        return f"{len(found.message_ids)} messages in the chat have its text."
    if found.message_ids:
        return SendResult("sent", found.message_ids[0])
    listed = sender.list_sent(send.session_id, send.address)
    if listed is None:
        return (
            f"No event shows it, and {sender.title} keeps no list of what it sends: only the chat on a phone shows "
            "whether it was sent."
        )
    if not send.text:
        return f"No event reported it, and {sender.title}'s list does not show a file without a caption for certain."
    return _from_list(outbox, sender, send, [message for message in listed if _matches(message, send)])


def _from_list(outbox: Outbox, sender: SenderClient, send: Send, matching: list[ListedMessage]) -> SendResult | str:
    ids = {message.message_id for message in matching}
    with outbox.pool.connection() as connection:
        ids -= unsettled.ids_of_other_sends(connection, send, ids)
    if len(ids) == 1:
        return SendResult("sent", ids.pop())
    if ids:
        return f"{len(ids)} messages in {sender.title}'s list have its text."
    return f"Neither an event nor {sender.title}'s list has it, which does not prove that it was not sent."


def _matches(message: ListedMessage, send: Send) -> bool:
    is_in_time = send.timestamp - echoes.BEFORE_MS <= message.time <= send.timestamp + echoes.AFTER_MS
    return is_in_time and message.text.strip() == (send.text or "").strip()
