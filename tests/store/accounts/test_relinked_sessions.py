"""If a session is linked to another number, the histories of the two numbers are not joined silently."""

from collections.abc import Iterable, Mapping

import pytest

from store.accounts import joining
from store.history.sessions import session_phones
from store.model.facts import SessionReport
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import account_merging, folding
from tests.support.history.folding import BASE_TIME, DeliveredEvent, event_of, message_fact

SAK, WAHA = "sak-1", "shop:default"
ONE, OTHER = "919800000001", "919800000002"


def report(session: str, phone: str, minute: int) -> DeliveredEvent:
    return event_of(SessionReport("connected", phone, BASE_TIME + minute * 60_000), session=session)


def store(memory: HistoryDatabase, *events: DeliveredEvent) -> None:
    number = memory.connection.execute("SELECT 1 + count(*) FROM batches").fetchone()
    assert number is not None
    folding.store_transactions(memory.connection, [int(str(number[0]))], events)


def accounts(memory: HistoryDatabase, configured: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return the account of each session after all pending joins."""
    joining.join_due(memory.connection, configured)
    account_merging.merge_all(memory.connection)
    return {session.session_id: session.account for session in session_phones.read(memory.connection)}


def relinked(memory: HistoryDatabase) -> set[str]:
    return {session.session_id for session in session_phones.read(memory.connection) if session.is_relinked}


def test_a_session_that_is_linked_to_another_number_does_not_bring_its_history(
    history_database: HistoryDatabase,
) -> None:
    """The customers of one number must not appear among those of another, because nobody could undo it."""
    store(history_database, report(SAK, ONE, 0), report(WAHA, OTHER, 0), event_of(message_fact("A"), session=WAHA))
    assert accounts(history_database) == {SAK: None, WAHA: None}

    store(history_database, report(WAHA, ONE, 1))
    assert accounts(history_database) == {SAK: None, WAHA: None}
    assert relinked(history_database) == {WAHA}

    # The owner states that both belong together.
    assert accounts(history_database, {"shop": ONE}) == {SAK: ONE, WAHA: ONE}
    assert relinked(history_database) == set()


def test_a_joined_session_that_is_linked_to_another_number_stays_and_is_reported(
    history_database: HistoryDatabase,
) -> None:
    """Its new number does not join an account with another session either."""
    store(history_database, report(SAK, ONE, 0), report(WAHA, ONE, 0))
    assert accounts(history_database) == {SAK: ONE, WAHA: ONE}

    store(history_database, report(WAHA, OTHER, 1), report("sak-2", OTHER, 1))

    assert accounts(history_database) == {SAK: ONE, WAHA: ONE, "sak-2": None}
    assert relinked(history_database) == {WAHA}
    store(history_database, report(WAHA, ONE, 2))
    assert relinked(history_database) == set()


def test_a_reported_phone_takes_precedence_over_a_configured_one(history_database: HistoryDatabase) -> None:
    """One gateway may serve several numbers, but the configuration names only one."""
    store(
        history_database, report(SAK, ONE, 0), report("shop:sales", OTHER, 0), event_of(message_fact("A"), session=WAHA)
    )

    assert accounts(history_database, {"shop": ONE}) == {SAK: ONE, "shop:sales": None, WAHA: ONE}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_numbers_of_a_session_are_known_in_whatever_order_it_reports_them(
    history_database: HistoryDatabase, order: Iterable[int]
) -> None:
    """Different spellings of one number are the same number."""
    reports = [report(WAHA, OTHER, 1), report(WAHA, "5215512345678", 0), report(WAHA, "525512345678", 2)]

    for number in order:
        store(history_database, reports[number])

    (session,) = session_phones.read(history_database.connection)
    assert (session.latest, session.reported) == ("525512345678", {OTHER, "525512345678"})
