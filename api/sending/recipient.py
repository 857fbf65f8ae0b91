"""Whom a send goes to: the digits that the gateway will dial, which name the chat that the answer will be in."""

import unicodedata
from collections.abc import Callable

from api.chats import address
from api.gateway import phone_number
from api.http import errors
from store.history import lid_aliases
from store.postgres.connections import Connection

_MAX_LENGTH = 128


def resolve(query: Callable[[Callable[[Connection], str | None]], str | None], session_id: str, to: str) -> str:
    """The digits that `to` means in a session; a LID means its phone, for which alone the database is asked.

    Raises Refusal, with the reason.
    """
    if len(to) > _MAX_LENGTH:
        raise errors.bad_request("bad_recipient", f"to is longer than {_MAX_LENGTH} characters.")
    # The gateway drops what is no ASCII digit. Of a number in another script it would dial what is left.
    if any(not character.isascii() and unicodedata.decimal(character, None) is not None for character in to):
        raise errors.bad_request("bad_recipient", "to must be written with the digits 0 to 9.")
    if to.strip().lower().endswith("@lid"):
        lid = address.parse(to)
        phone = query(lambda connection: lid_aliases.phone_of(connection, session_id, lid))
        if phone is None:
            raise errors.bad_request(
                "unknown_lid", "to is a private identity (LID) whose phone is not known here: send to the phone number."
            )
        to = phone
    try:
        return phone_number.normalize(to)
    except phone_number.InvalidRecipientError as error:
        raise errors.bad_request("bad_recipient", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
