"""Our parser reads Meta's requests like pywa, which is an independent client."""

import logging
from typing import Any

import pytest
from pywa.client import WhatsApp
from pywa.types.base_update import RawUpdate

from store.model.facts import Ack, Delete, DisplayName, Edit, Message, Reaction
from tests.support.senders import sender_payloads
from tests.support.senders.sender_payloads import SenderPayload
from worker.senders.meta import parser

UNKNOWN_TO_PYWA = {"status_failed", "echo_typed_on_phone", "contact_added_smb_app_state_sync"}
"""The payloads that pywa cannot read. It requires `contacts` in statuses and echoes, and knows no address book."""
PAYLOADS = [payload for payload in sender_payloads.load("meta") if payload.name not in UNKNOWN_TO_PYWA]


@pytest.mark.parametrize("payload", PAYLOADS, ids=str)
def test_pywa_reads_a_request_as_we_do(payload: SenderPayload) -> None:
    """If we misunderstood Meta's documentation, our own expectations would be wrong, too."""
    logging.getLogger("pywa").disabled = True
    theirs = read_by_pywa(payload.body)
    fact, *_ = facts = parser.parse(payload.body).outcome.facts

    assert isinstance(fact, Message | Ack | Edit | Delete | Reaction)
    assert fact.time == int(theirs.timestamp.timestamp() * 1000)
    assert fact.address == theirs.from_user.wa_id
    match fact:
        case Ack():
            assert (fact.message_id, fact.status) == (theirs.id, theirs.status.value)
        case Reaction():
            assert fact.message_id == theirs.reaction.message_id
            assert fact.emoji == (theirs.reaction.emoji or "")
        case Edit() | Delete():
            assert fact.message_id == theirs.original_message_id
        case Message():
            text = theirs.title if type(theirs).__name__.startswith("Callback") else theirs.text
            assert (fact.message_id, fact.caption) == (theirs.id, getattr(theirs, "caption", None))
            assert fact.type != "text" or fact.text == text
            quoted = theirs.reply_to_message
            assert fact.reply_to == (None if quoted is None else quoted.id)
            assert [each.name for each in facts if isinstance(each, DisplayName)] == [theirs.from_user.name]


def read_by_pywa(body: bytes) -> Any:  # noqa: ANN401 - one of pywa's types
    client: Any = WhatsApp(phone_id="105000000000072", token="made up")
    update = RawUpdate(body, hmac_header=None, update_hash="")
    handler = client._get_handler_type(update)
    assert handler is not None
    return client._handlers_to_updates[handler].from_update(client=client, update=update)
