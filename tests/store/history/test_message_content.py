"""Content is one tuple, from the best copy, never mixed from two; edits and deletes lie above it."""

from store.model.facts import Delete, Edit, Reaction
from tests.support import folding
from tests.support.folding import T0, Told, message, told
from tests.support.generated_history import world
from tests.support.generated_history.database import Memory

ASHA = world.ASHA


def edit(text: str, time: int = T0 + 1) -> Told:
    return told(Edit("A", ASHA, "incoming", None, text, time))


def test_content_replaces_emptiness_and_never_the_other_way_round(memory: Memory) -> None:
    """A message that could not be decrypted comes empty; its resend has the same id, and may be overtaken."""
    empty = told(message(text=None, state="undecrypted", time=T0 - world.HOUR))

    folding.agreed(memory, empty, told(message()))
    row = folding.only(memory)
    assert (row["message_text"], row["content_state"]) == ("Hello", "complete")
    assert row["timestamp"] == T0 - world.HOUR  # the time is not content: the least of both


def test_content_is_never_mixed_from_two_copies(memory: Memory) -> None:
    """A caption from one and a link from the other would be a message that nobody wrote."""
    linked = message(text=None, message_type="image", media_url="https://media.example/1")
    captioned = message(text=None, message_type="image", state="media_missing", caption="Look")
    other = message(text="Something else", time=T0 + 1)

    folding.agreed(memory, told(linked), told(captioned), told(other))
    row = folding.only(memory)
    shown = {name: row[name] for name in ("message_type", "media_url", "caption", "message_text")}
    assert shown == {
        "message_type": "image",
        "media_url": "https://media.example/1",
        "caption": None,
        "message_text": None,
    }


def test_of_equally_complete_copies_the_earlier_wins(memory: Memory) -> None:
    """A second body under a known id is a conflict, not news."""
    folding.agreed(memory, told(message(text="First")), told(message(text="Second", time=T0 + 1)))

    assert folding.only(memory)["message_text"] == "First"


def test_of_copies_of_the_same_second_the_smaller_digest_wins(memory: Memory) -> None:
    """Nothing else tells them apart; what matters is that every order finds the same."""
    copies = [told(message(text=text)) for text in ("One", "Two", "Three")]

    folding.agreed(memory, *copies)
    winner = min(copies, key=lambda copy: copy.event(0).digest)
    assert folding.only(memory)["message_text"] == folding.text_of(winner)


def test_the_newest_edit_is_shown_and_the_original_kept(memory: Memory) -> None:
    """Edits overtake each other and the message."""
    folding.agreed(memory, told(message()), edit("Second", T0 + 2), edit("First", T0 + 1))

    row = folding.only(memory)
    assert (row["message_text"], row["original_text"], row["edited_at"]) == ("Second", "Hello", T0 + 2)


def test_of_edits_of_the_same_second_the_greater_digest_wins(memory: Memory) -> None:
    """Nothing else tells them apart, as with messages."""
    edits = [edit(text) for text in ("One", "Two", "Three")]

    folding.agreed(memory, told(message()), *edits)
    winner = max(edits, key=lambda one: one.event(0).digest)
    assert str(folding.only(memory)["message_text"]) in str(winner.facts)


def test_an_edit_survives_better_content(memory: Memory) -> None:
    """The message was empty when it was edited: its content belongs below the edit."""
    empty = told(message(text=None, state="undecrypted"))

    folding.agreed(memory, empty, told(message()), edit("Edited"))
    row = folding.only(memory)
    assert (row["message_text"], row["original_text"]) == ("Edited", "Hello")


def test_the_edit_of_media_is_its_caption(memory: Memory) -> None:
    """And stays it when a better copy turns up, or one that says it was a text."""
    poor = told(message(text=None, message_type="image", state="media_missing"))
    rich = told(message(text=None, message_type="image", caption="Old", media_url="https://media.example/1"))

    folding.agreed(memory, poor, rich, edit("New"))
    row = folding.only(memory)
    assert (row["caption"], row["original_text"], row["message_text"]) == ("New", "Old", None)


def test_only_the_author_edits(memory: Memory) -> None:
    """The other side cannot put words into our mouth, nor a group's member into another's."""
    ours = told(message(direction="outgoing"))

    folding.agreed(memory, ours, edit("Not by us"))
    assert folding.only(memory)["message_text"] == "Hello"

    by_ravi = told(message(address=world.GROUP, sender=world.RAVI))
    by_meena = told(Edit("A", world.GROUP, "incoming", world.MEENA, "Not by Ravi", T0 + 1))
    folding.agreed(memory, by_ravi, by_meena)
    assert folding.only(memory)["message_text"] == "Hello"


def test_a_delete_leaves_a_tombstone_and_what_was_said(memory: Memory) -> None:
    """What is shown of a deleted message is the reader's choice, so the store keeps it."""
    delete = told(Delete("A", ASHA, "incoming", None, T0 + 5))

    folding.agreed(memory, told(message()), delete, edit("Edited"))
    row = folding.only(memory)
    assert (row["deleted_at"], row["message_text"], row["original_text"]) == (T0 + 5, "Edited", "Hello")


def test_only_the_author_deletes(memory: Memory) -> None:
    """Otherwise anybody could remove what another wrote."""
    folding.agreed(memory, told(message(direction="outgoing")), told(Delete("A", ASHA, "incoming", None, T0 + 5)))

    assert folding.only(memory)["deleted_at"] is None


def test_every_reaction_is_kept_for_whoever_looks_for_the_newest(memory: Memory) -> None:
    """Given, changed and taken back, in any order: a set that only grows."""
    reactions = [
        told(Reaction("A", ASHA, "incoming", None, emoji, T0 + i)) for i, emoji in enumerate(("👍", "😂", ""), 1)
    ]

    agreed = folding.agreed(memory, told(message()), *reactions)
    assert sorted((row[6], row[8]) for row in agreed["marks"]) == [(T0 + 1, "👍"), (T0 + 2, "😂"), (T0 + 3, "")]


def test_messages_without_id_are_one_if_they_say_the_same_and_two_if_not(memory: Memory) -> None:
    """The guide's own sample has no id: then the content is the identity, for however many dialects tell it."""
    same = [told(message(None), seed=str(i)) for i in range(2)]
    other = told(message(None, text="Something else"))

    agreed = folding.agreed(memory, *same, other)
    assert sorted(str(row[7]) for row in agreed["messages"]) == ["Hello", "Something else"]
