"""Resolves the recipient of a send to the digits that the gateway dials, which are also the address of the chat."""

from collections.abc import Callable

from api.http import errors
from api.sending.requests import MAX_RECIPIENT_LENGTH
from store.model import addresses, national_spellings
from store.postgres.connections import Connection
from store.sending import recipients


def resolve(query: Callable[[Callable[[Connection], str | None]], str | None], session_id: str, to: str) -> str:
    """Return the digits of `to` in a session. Raises ApiError.

    The database is queried only in three cases: for the phone of a LID; for ten digits to which the gateway would add
    91, although a chat has exactly these digits; and for the spelling of a number in a country that has two.
    """
    if len(to) > MAX_RECIPIENT_LENGTH:
        raise errors.bad_request("bad_recipient", f"to is longer than {MAX_RECIPIENT_LENGTH} characters.")
    address = addresses.parse(to)
    if address is not None and addresses.is_lid(address):
        phone = query(lambda connection: recipients.phone_of(connection, session_id, address))
        if phone is None:
            sentence = "to is a LID whose phone number is not known: send to the phone number."
            raise errors.bad_request("unknown_lid", sentence)
        to = f"+{phone}"
    elif (
        address is not None and len(address) == 10 and query(lambda c: recipients.exact_address(c, session_id, address))
    ):
        to = f"+{address}"
    try:
        phone = addresses.dialled(to)
    except addresses.RecipientError as error:
        raise errors.bad_request("bad_recipient", f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    if not national_spellings.may_have_variants(phone):
        return phone
    return query(lambda connection: recipients.spelling_of_last_message(connection, session_id, phone)) or phone
