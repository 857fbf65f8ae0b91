"""Resolves the recipient of a send to the digits that the gateway dials, which are also the address of the chat."""

import unicodedata
from collections.abc import Callable

from api.chats import address
from api.gateway import phone_number
from api.http import errors
from api.sending.requests import MAX_RECIPIENT_LENGTH
from store.history import lid_aliases
from store.postgres.connections import Connection


def resolve(query: Callable[[Callable[[Connection], str | None]], str | None], session_id: str, to: str) -> str:
    """The digits of `to` in a session; only for a LID, whose phone is looked up, the database is queried.

    Raises ApiError.
    """
    if len(to) > MAX_RECIPIENT_LENGTH:
        raise errors.bad_request("bad_recipient", f"to is longer than {MAX_RECIPIENT_LENGTH} characters.")
    # The gateway drops everything but ASCII digits, and would dial the rest of a number in another script.
    if any(not character.isascii() and unicodedata.decimal(character, None) is not None for character in to):
        raise errors.bad_request("bad_recipient", "to must be written with the digits 0 to 9.")
    if to.strip().lower().endswith("@lid"):
        lid = address.parse(to)
        phone = query(lambda connection: lid_aliases.phone_of(connection, session_id, lid))
        if phone is None:
            sentence = "to is a LID whose phone number is not known: send to the phone number."
            raise errors.bad_request("unknown_lid", sentence)
        to = phone
    try:
        return phone_number.normalize(to)
    except phone_number.InvalidRecipientError as error:
        raise errors.bad_request("bad_recipient", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
