"""The newest report of a session wins, in whatever order the reports arrive."""

from store.model.facts import SessionReport
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, event_of


def _session(memory: HistoryDatabase) -> object:
    return memory.connection.execute("SELECT state, phone FROM sessions").fetchone()


def test_the_newest_report_of_a_session_wins(history_database: HistoryDatabase) -> None:
    """A disconnection that arrives late must not hide that the session is connected again."""
    reports = [
        event_of(SessionReport(state, None, BASE_TIME + i))
        for i, state in enumerate(("connected", "disconnected", "connected"))
    ]

    folding.assert_order_independent(history_database, *reports)
    assert _session(history_database) == ("connected", None)


def test_a_report_without_a_phone_keeps_the_known_phone(history_database: HistoryDatabase) -> None:
    """Most dialects report only the state, so state and phone are separate."""
    folding.assert_order_independent(
        history_database,
        event_of(SessionReport("connected", "919811000090", BASE_TIME)),
        event_of(SessionReport("disconnected", None, BASE_TIME + 1)),
    )

    assert _session(history_database) == ("disconnected", "919811000090")


def test_a_phone_that_is_reported_with_every_event_changes_the_session_once(history_database: HistoryDatabase) -> None:
    """Readers fetch a session again whenever it changes."""
    reports = [[event_of(SessionReport(None, "919811000090", BASE_TIME + i))] for i in range(3)]

    folding.store_transactions(history_database.connection, range(1, 4), *reports)

    row = history_database.connection.execute("SELECT phone, phone_at, rev FROM sessions").fetchone()
    assert row == ("919811000090", BASE_TIME + 2, 2), "one more than a new session has"


def test_reports_of_the_same_second_are_told_apart_by_their_digest(history_database: HistoryDatabase) -> None:
    """Gateways report a reconnect within one second. Either report may be right, but the order must not matter."""
    reports = [
        event_of(SessionReport("connected", "919811000090", BASE_TIME)),
        event_of(SessionReport("disconnected", "919811000091", BASE_TIME)),
        event_of(SessionReport("connecting", "919811000092", BASE_TIME)),
    ]

    folding.assert_order_independent(history_database, *reports)
    winner = max(reports, key=lambda report: report.event(0).digest)
    (fact,) = winner.facts
    assert isinstance(fact, SessionReport)
    assert _session(history_database) == (fact.state, fact.phone)
