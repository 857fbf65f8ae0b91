"""Parses Evolution's events about contacts."""

from store.model import addresses
from store.model.facts import DisplayName, Fact
from worker.senders.events import GatewayEvent
from worker.senders.reasons import NoFactsError, Reason
from worker.senders.whatsapp import display_names, json_document, text


def read(event: GatewayEvent) -> tuple[Fact, ...]:
    """Read `contacts.set`, `contacts.upsert` and `contacts.update`: push names.

    After a message in a group, the contact is the group but the name is that of the sender, so it names nobody.
    """
    listed = json_document.objects(event.data.get("contacts")) or event.items
    names: list[DisplayName] = []
    for contact in listed:
        person = addresses.parse(contact.get("remoteJid") or contact.get("id"))
        name = text.name(contact.get("pushName") or contact.get("name"))
        if person is not None and addresses.is_individual(person):
            names += display_names.evidence(name, person, 1, None)
    if not names:
        raise NoFactsError(Reason.GATEWAY_NOTICE)
    return tuple(names)
