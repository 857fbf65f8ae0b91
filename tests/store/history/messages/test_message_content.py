"""The content of a message is that of its best copy, never a mixture of two. Edits and deletes apply on top of it."""

from dataclasses import replace

from store.model.facts import Delete, Edit, Reaction
from tests.support.generated_history import world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, DeliveredEvent, event_of, message_fact

ASHA = world.ASHA


def edit(text: str, time: int = BASE_TIME + 1) -> DeliveredEvent:
    return event_of(Edit("A", ASHA, "incoming", None, text, time))


def test_content_replaces_emptiness_and_never_the_other_way_round(history_database: HistoryDatabase) -> None:
    """A message that could not be decrypted arrives empty. Its resend has the same id and may arrive first."""
    empty = event_of(message_fact(text=None, state="undecrypted", time=BASE_TIME - world.HOUR))

    folding.assert_order_independent(history_database, empty, event_of(message_fact()))
    row = folding.visible_message(history_database)
    assert (row["message_text"], row["content_state"]) == ("Hello", "complete")
    assert row["timestamp"] == BASE_TIME - world.HOUR  # the time is not part of the content, and the earliest one wins


def test_a_known_type_replaces_an_unknown_one(history_database: HistoryDatabase) -> None:
    """The first field of a message may hide its type. A resend may name it, earlier or later."""
    hidden = event_of(message_fact(text=None, message_type="unknown", state="media_missing", time=BASE_TIME - 1))
    image = event_of(
        replace(message_fact(text=None, message_type="image", state="media_missing"), raw_type="imageMessage")
    )
    guessed = event_of(message_fact(text=None, message_type="system"))

    for others in ([hidden], [guessed], [hidden, guessed]):
        folding.assert_order_independent(history_database, *others, image)
        assert folding.visible_message(history_database)["message_type"] == "image"


def test_content_is_never_mixed_from_two_copies(history_database: HistoryDatabase) -> None:
    """A caption from one copy and a link from the other would be a message that nobody wrote."""
    linked = message_fact(text=None, message_type="image", media_url="https://media.example/1")
    captioned = message_fact(text=None, message_type="image", state="media_missing", caption="Look")
    other = message_fact(text="Something else", time=BASE_TIME + 1)

    folding.assert_order_independent(history_database, event_of(linked), event_of(captioned), event_of(other))
    row = folding.visible_message(history_database)
    shown = {name: row[name] for name in ("message_type", "media_url", "caption", "message_text")}
    assert shown == {
        "message_type": "image",
        "media_url": "https://media.example/1",
        "caption": None,
        "message_text": None,
    }


def test_of_equally_complete_copies_the_earlier_wins(history_database: HistoryDatabase) -> None:
    """A second body with a known id is a conflict, not new content."""
    folding.assert_order_independent(
        history_database,
        event_of(message_fact(text="First")),
        event_of(message_fact(text="Second", time=BASE_TIME + 1)),
    )

    assert folding.visible_message(history_database)["message_text"] == "First"


def test_of_copies_of_the_same_second_the_smaller_digest_wins(history_database: HistoryDatabase) -> None:
    """Nothing else distinguishes them, and every order must have the same result."""
    copies = [event_of(message_fact(text=text)) for text in ("One", "Two", "Three")]

    folding.assert_order_independent(history_database, *copies)
    winner = min(copies, key=lambda copy: copy.event(0).digest)
    assert folding.visible_message(history_database)["message_text"] == folding.text_of(winner)


def test_the_newest_edit_is_shown_and_the_original_kept(history_database: HistoryDatabase) -> None:
    """Edits may arrive before each other and before the message."""
    folding.assert_order_independent(
        history_database, event_of(message_fact()), edit("Second", BASE_TIME + 2), edit("First", BASE_TIME + 1)
    )

    row = folding.visible_message(history_database)
    assert (row["message_text"], row["original_text"], row["edited_at"]) == ("Second", "Hello", BASE_TIME + 2)


def test_of_edits_of_the_same_second_the_greater_digest_wins(history_database: HistoryDatabase) -> None:
    """Nothing else distinguishes them, as with messages."""
    edits = [edit(text) for text in ("One", "Two", "Three")]

    folding.assert_order_independent(history_database, event_of(message_fact()), *edits)
    winner = max(edits, key=lambda one: one.event(0).digest)
    assert str(folding.visible_message(history_database)["message_text"]) in str(winner.facts)


def test_an_edit_survives_better_content(history_database: HistoryDatabase) -> None:
    """The message was empty when it was edited, so its later content must not replace the edit."""
    empty = event_of(message_fact(text=None, state="undecrypted"))

    folding.assert_order_independent(history_database, empty, event_of(message_fact()), edit("Edited"))
    row = folding.visible_message(history_database)
    assert (row["message_text"], row["original_text"]) == ("Edited", "Hello")


def test_the_edit_of_media_is_its_caption(history_database: HistoryDatabase) -> None:
    """The caption stays if a better copy arrives, or one with the type text."""
    poor = event_of(message_fact(text=None, message_type="image", state="media_missing"))
    rich = event_of(message_fact(text=None, message_type="image", caption="Old", media_url="https://media.example/1"))

    folding.assert_order_independent(history_database, poor, rich, edit("New"))
    row = folding.visible_message(history_database)
    assert (row["caption"], row["original_text"], row["message_text"]) == ("New", "Old", None)


def test_only_the_author_edits(history_database: HistoryDatabase) -> None:
    """The other side cannot edit our messages, and members of a group cannot edit those of others."""
    ours = event_of(message_fact(direction="outgoing"))

    folding.assert_order_independent(history_database, ours, edit("Not by us"))
    assert folding.visible_message(history_database)["message_text"] == "Hello"

    by_ravi = event_of(message_fact(address=world.GROUP, sender=world.RAVI))
    by_meena = event_of(Edit("A", world.GROUP, "incoming", world.MEENA, "Not by Ravi", BASE_TIME + 1))
    folding.assert_order_independent(history_database, by_ravi, by_meena)
    assert folding.visible_message(history_database)["message_text"] == "Hello"


def test_a_delete_marks_the_message_and_keeps_its_content(history_database: HistoryDatabase) -> None:
    """The store keeps the content of a deleted message, because readers decide whether to show it."""
    delete = event_of(Delete("A", ASHA, "incoming", None, BASE_TIME + 5))

    folding.assert_order_independent(history_database, event_of(message_fact()), delete, edit("Edited"))
    row = folding.visible_message(history_database)
    assert (row["deleted_at"], row["message_text"], row["original_text"]) == (BASE_TIME + 5, "Edited", "Hello")


def test_only_the_author_deletes(history_database: HistoryDatabase) -> None:
    """Otherwise anybody could delete the messages of others."""
    folding.assert_order_independent(
        history_database,
        event_of(message_fact(direction="outgoing")),
        event_of(Delete("A", ASHA, "incoming", None, BASE_TIME + 5)),
    )

    assert folding.visible_message(history_database)["deleted_at"] is None


def test_every_reaction_is_stored_so_that_readers_find_the_newest(history_database: HistoryDatabase) -> None:
    """Reactions are added, changed and removed in any order, and stored as a set that only grows."""
    reactions = [
        event_of(Reaction("A", ASHA, "incoming", None, emoji, BASE_TIME + i))
        for i, emoji in enumerate(("👍", "😂", ""), 1)
    ]

    agreed = folding.assert_order_independent(history_database, event_of(message_fact()), *reactions)
    assert sorted((row[6], row[8]) for row in agreed["marks"]) == [
        (BASE_TIME + 1, "👍"),
        (BASE_TIME + 2, "😂"),
        (BASE_TIME + 3, ""),
    ]


def test_messages_without_an_id_are_one_if_their_contents_are_equal(history_database: HistoryDatabase) -> None:
    """The guide's own sample has no id. Then the content is the identity, whatever dialects report it."""
    same = [event_of(message_fact(None), seed=str(i)) for i in range(2)]
    other = event_of(message_fact(None, text="Something else"))

    agreed = folding.assert_order_independent(history_database, *same, other)
    assert sorted(str(row[7]) for row in agreed["messages"]) == ["Hello", "Something else"]
