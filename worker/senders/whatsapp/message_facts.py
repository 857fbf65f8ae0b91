"""Creates facts from the content of a message and from its two sides."""

from store.model.facts import Delete, Edit, Fact, Reaction, Status
from worker.senders.whatsapp import message_ids
from worker.senders.whatsapp.message_content import MessageContent
from worker.senders.whatsapp.parties import Parties
from worker.senders.whatsapp.update_content import UpdateContent


def of(  # noqa: PLR0913 - the parts of a message
    content: MessageContent | UpdateContent,
    parties: Parties,
    *,
    message_id: str | None,
    time: int | None,
    status: Status | None = None,
    is_history: bool = False,
) -> tuple[Fact, ...]:
    """Return the message or its update, and the evidence about people.

    Raises NoFactsError if there is no message id.
    """
    if isinstance(content, UpdateContent):
        return of_update(content, parties, time)
    message = content.to_message(parties, message_ids.require(message_id), time, status, is_history=is_history)
    return (message, *parties.evidence)


def of_update(update: UpdateContent, parties: Parties, time: int | None) -> tuple[Fact, ...]:
    """Return the update of a message by the sender of this event, and the evidence about people."""
    match update.action:
        case "react":
            fact = Reaction(update.target_id, parties.chat, parties.direction, parties.sender, update.text, time)
        case "edit":
            fact = Edit(update.target_id, parties.chat, parties.direction, parties.sender, update.text, time)
        case "delete":
            fact = Delete(update.target_id, parties.chat, parties.direction, parties.sender, time)
    return (fact, *parties.evidence)
