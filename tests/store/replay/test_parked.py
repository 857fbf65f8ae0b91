"""What is parked, refused or deadly, and how it gets off the list."""

from store.ledger import ledger
from store.model.facts import Outcome
from store.postgres import connections
from tests.support.faulty_parsers import MISREADINGS, rightly
from tests.support.generated_history import batches as generated_history_batches
from tests.support.generated_history import snapshot, world
from tests.support.replaying import drain, history, misread_as, replayed, retried, rows, said


def test_an_event_that_the_store_refuses_is_parked_and_taken_as_soon_as_it_fits(database_url: str) -> None:
    """A parser that lets through what PostgreSQL cannot hold stops neither the replay nor the event's neighbours."""
    drain(
        database_url,
        [generated_history_batches.batch([(said("good", 1), world.T0), (said("evil", 2), world.T0)])],
        rightly,
    )

    def careless(body: bytes) -> Outcome:
        return misread_as(text="\0", type="image")(body) if b"evil" in body else misread_as(type="video")(body)

    replayed(database_url, careless)
    assert rows(database_url, "SELECT reason FROM parked") == [("rejected_by_store",)]
    assert rows(database_url, "SELECT message_type FROM whatsapp_messages") == [("video",)]
    assert replayed(database_url, careless).counts == {}

    assert replayed(database_url, rightly).counts["event parked to stored"] == 1
    assert rows(database_url, "SELECT message_text FROM whatsapp_messages ORDER BY id") == [("good",), ("evil",)]
    with connections.open(database_url, "test") as connection:
        read = ledger.read(connection)
    assert (read.stored, read.parked) == (2, 0)


def test_what_is_parked_is_retried_without_looking_at_anything_else(
    database_url: str, another_database_url: str
) -> None:
    """The everyday case: a dialect was learnt, and what waited for it is taken off the list, once, with a trace."""
    batches = list(generated_history_batches.told(250, seed=3))
    drain(database_url, batches, MISREADINGS["not understood"])
    drain(another_database_url, batches, rightly)

    assert retried(database_url, rightly, reason="another").events == 0
    announced = retried(database_url, rightly, dry=True)
    done = retried(database_url, rightly)
    again = retried(database_url, rightly)

    assert done.counts["event parked to stored"] > 50
    assert announced.counts["event parked to stored"] == done.counts["event parked to stored"]
    assert again.counts == {}
    assert snapshot.differences(history(database_url), history(another_database_url)) == []
    assert rows(database_url, "SELECT DISTINCT reason FROM corrections") == [("replay of what was parked",)]


def test_an_event_that_kills_its_reader_is_left_alone(database_url: str) -> None:
    """It was parked unread because three workers died of it; a replay must not be the fourth."""
    drain(database_url, [generated_history_batches.batch([(said("deadly"), world.T0)])], killed)

    def read(body: bytes) -> Outcome:
        raise AssertionError(body)

    assert replayed(database_url, read).counts == {}
    assert retried(database_url, read).counts == {}


def killed(_: bytes) -> Outcome:
    return Outcome("parked", "kills_worker", None, None, None)
