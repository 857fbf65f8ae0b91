"""What a session said of itself last, in whatever order its reports come."""

from store.model.facts import SessionReport
from tests.support import folding
from tests.support.folding import T0, told
from tests.support.generated_history.database import Memory


def _session(memory: Memory) -> object:
    return memory.connection.execute("SELECT state, phone FROM sessions").fetchone()


def test_the_newest_report_of_a_session_wins(memory: Memory) -> None:
    """A disconnection that comes late must not hide that the session is back."""
    reports = [
        told(SessionReport(state, None, T0 + i)) for i, state in enumerate(("connected", "disconnected", "connected"))
    ]

    folding.agreed(memory, *reports)
    assert _session(memory) == ("connected", None)


def test_a_report_that_names_no_phone_does_not_take_it_away(memory: Memory) -> None:
    """Most dialects tell only the state: the two are apart."""
    folding.agreed(
        memory, told(SessionReport("connected", "919811000090", T0)), told(SessionReport("disconnected", None, T0 + 1))
    )

    assert _session(memory) == ("disconnected", "919811000090")


def test_reports_of_the_same_second_are_told_apart_by_their_digest(memory: Memory) -> None:
    """Gateways report a reconnect within one second: either may be the truth, but every order finds the same."""
    reports = [
        told(SessionReport("connected", "919811000090", T0)),
        told(SessionReport("disconnected", "919811000091", T0)),
        told(SessionReport("connecting", "919811000092", T0)),
    ]

    folding.agreed(memory, *reports)
    winner = max(reports, key=lambda report: report.event(0).digest)
    (fact,) = winner.facts
    assert isinstance(fact, SessionReport)
    assert _session(memory) == (fact.state, fact.phone)
