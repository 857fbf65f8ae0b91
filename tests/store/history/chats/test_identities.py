"""Tests persons with several addresses: which addresses are merged, and whose updates apply."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from store.model.facts import Delete, Edit, Fact, LidAlias, Message, Reaction
from tests.support.generated_history import snapshot, world
from tests.support.generated_history.database import HistoryDatabase
from tests.support.history import folding
from tests.support.history.folding import BASE_TIME, DeliveredEvent, event_of, message_fact

ASHA, RAVI, MEENA, LID, OTHER_LID = world.ASHA, world.RAVI, world.MEENA, world.LID_OF_ASHA, world.LID_OF_RAVI
GROUP = world.GROUP
MOBILE, MOBILE_AS_BEFORE = "5511900000001", "551100000001"
LID_IS_ASHA = event_of(LidAlias(LID, ASHA, BASE_TIME))


def in_group(sender: str | None) -> DeliveredEvent:
    return event_of(message_fact("A", GROUP, text="Before", sender=sender))


@pytest.mark.parametrize(("author", "editor"), [(ASHA, LID), (LID, ASHA)])
def test_an_author_may_be_a_phone_today_and_a_lid_tomorrow(
    history_database: HistoryDatabase, author: str, editor: str
) -> None:
    """WhatsApp names a member of a group by phone or LID, and may change between a message and its edit."""
    edit = event_of(Edit("A", GROUP, "incoming", editor, "After", BASE_TIME + 1))

    folding.assert_order_independent(history_database, in_group(author), edit, LID_IS_ASHA)
    assert folding.visible_message(history_database)["message_text"] == "After"


def test_an_edit_by_another_member_does_not_count(history_database: HistoryDatabase) -> None:
    """This also applies if the editor's LID becomes known or turns out to belong to another person."""
    edit = event_of(Edit("A", GROUP, "incoming", LID, "Forged", BASE_TIME + 1))

    folding.assert_order_independent(history_database, in_group(RAVI), edit, LID_IS_ASHA)
    assert folding.visible_message(history_database)["message_text"] == "Before"
    moved = event_of(LidAlias(LID, MEENA, BASE_TIME + 1))
    folding.assert_order_independent(history_database, in_group(ASHA), edit, LID_IS_ASHA, moved)
    assert folding.visible_message(history_database)["message_text"] == "Before"


def test_one_person_has_one_reaction_to_a_message(history_database: HistoryDatabase) -> None:
    """If phone and LID counted separately, the person would have two reactions."""
    first = event_of(Reaction("A", GROUP, "incoming", ASHA, "👍", BASE_TIME + 1))
    second = event_of(Reaction("A", GROUP, "incoming", LID, "❤️", BASE_TIME + 2))

    folding.assert_order_independent(history_database, in_group(RAVI), first, second, LID_IS_ASHA)
    shown = folding.shown_reactions(history_database)
    assert [(one["emoji"], one["sender"]) for one in shown] == [("❤️", ASHA)]


@pytest.mark.parametrize(
    ("address", "deleter", "is_deleted"),
    [(GROUP, RAVI, True), (GROUP, LID, True), (GROUP, None, True), (ASHA, "we", False), (GROUP, "we", True)],
)
def test_a_groups_admin_deletes_any_message_and_elsewhere_only_the_author_does(
    history_database: HistoryDatabase, address: str, deleter: str | None, *, is_deleted: bool
) -> None:
    """WhatsApp forwards the deletion of another member's message only from admins."""
    message = in_group(ASHA) if address == GROUP else event_of(message_fact("A", address))
    direction, sender = ("outgoing", None) if deleter == "we" else ("incoming", deleter)

    folding.assert_order_independent(
        history_database, message, event_of(Delete("A", address, direction, sender, BASE_TIME + 1))
    )
    assert (folding.visible_message(history_database)["deleted_at"] is not None) is is_deleted


def test_a_second_lid_that_claims_a_phone_is_a_contradiction(history_database: HistoryDatabase) -> None:
    """An older gateway gives everyone who answers the last number that was written to. The two are strangers."""
    under_phone = event_of(message_fact("A", text="I am Asha"))
    kamal, lata = (
        event_of(message_fact(name, lid, text=f"I am {name}"), LidAlias(lid, ASHA, BASE_TIME + number))
        for number, (name, lid) in enumerate([("Kamal", LID), ("Lata", OTHER_LID)])
    )

    folding.assert_order_independent(history_database, under_phone, kamal, lata)
    shown_in = {name: folding.visible_message(history_database, name)["shown_in"] for name in ("A", "Kamal", "Lata")}
    assert shown_in == {"A": ASHA, "Kamal": LID, "Lata": OTHER_LID}
    assert folding.visible_message(history_database, "Lata")["from_number"] is None


def test_a_contradiction_ends_when_one_lid_turns_out_to_be_somebody_elses(history_database: HistoryDatabase) -> None:
    """Then only the other claim is left."""
    under_lid = event_of(message_fact("B", LID))
    wrong, right = (event_of(LidAlias(OTHER_LID, phone, BASE_TIME + at)) for at, phone in enumerate((ASHA, RAVI)))

    folding.assert_order_independent(history_database, under_lid, LID_IS_ASHA, wrong, right)
    assert folding.visible_message(history_database, "B")["shown_in"] == ASHA


@pytest.mark.parametrize(
    ("variant", "standard"),
    [
        (MOBILE_AS_BEFORE, MOBILE),
        pytest.param("5215500000001", "525500000001", marks=pytest.mark.long),
        pytest.param("541100000001", "5491100000001", marks=pytest.mark.long),
    ],
)
def test_national_spellings_of_a_phone_are_one_chat_once_there_is_evidence(
    history_database: HistoryDatabase, variant: str, standard: str
) -> None:
    """Brazil's ninth digit, Mexico's 1 and Argentina's 9 made two contacts of one customer."""
    before, after = event_of(message_fact("A", variant)), event_of(message_fact("B", standard))
    update = event_of(Edit("A", standard, "incoming", None, "After", BASE_TIME + 1))
    evidence = event_of(LidAlias(variant, standard, BASE_TIME))

    folding.assert_order_independent(history_database, before, after, update)
    assert set(folding.visible_chats(history_database)) == {variant, standard}
    assert folding.visible_message(history_database, "A")["from_number"] == variant
    folding.assert_order_independent(history_database, before, after, update, evidence)
    assert {address: chat["unread"] for address, chat in folding.visible_chats(history_database).items()} == {
        standard: 2
    }
    assert folding.visible_message(history_database, "A")["message_text"] == "After"
    assert folding.visible_message(history_database, "A")["from_number"] == standard


def test_a_lid_of_a_variant_is_in_the_chat_of_the_standard_spelling(history_database: HistoryDatabase) -> None:
    """Merges do not form chains, so every address refers to the chat that is shown."""
    under_lid = event_of(message_fact("A", LID))
    lid, variant = (
        event_of(LidAlias(LID, MOBILE_AS_BEFORE, BASE_TIME)),
        event_of(LidAlias(MOBILE_AS_BEFORE, MOBILE, BASE_TIME)),
    )

    folding.assert_order_independent(history_database, under_lid, lid, variant)
    assert folding.visible_message(history_database)["shown_in"] == MOBILE
    assert history_database.connection.execute(
        "SELECT count(*) FROM chats AS c JOIN chats AS m ON m.chat_id = c.merged_into WHERE m.merged_into IS NOT NULL"
    ).fetchone() == (0,)


LIDS, PHONES = (LID, OTHER_LID, "200000000000013@lid"), (ASHA, MOBILE, MOBILE_AS_BEFORE)
MESSAGES = tuple(
    event_of(message_fact(f"M{number}", address)) for number, address in enumerate((*LIDS, *PHONES), start=1)
)
EVIDENCE = st.one_of(
    st.builds(LidAlias, st.sampled_from(LIDS), st.sampled_from(PHONES), st.integers(BASE_TIME, BASE_TIME + 3)),
    st.just(LidAlias(MOBILE_AS_BEFORE, MOBILE, BASE_TIME)),
)
UPDATES: Sequence[Fact] = (
    Edit("G", GROUP, "incoming", LID, "By the LID", BASE_TIME + 1),
    Edit("G", GROUP, "incoming", MOBILE, "By the phone", BASE_TIME + 2),
    Edit("G", GROUP, "incoming", MOBILE_AS_BEFORE, "By the variant", BASE_TIME + 3),
)


@pytest.mark.long
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(evidence=st.lists(EVIDENCE, min_size=2, max_size=6), author=st.sampled_from((*LIDS, *PHONES)), data=st.data())
def test_evidence_gives_one_history_in_any_order(
    history_database: HistoryDatabase, evidence: list[LidAlias], author: str, data: st.DataObject
) -> None:
    """Guesses, corrections, contradictions and variants may come before, between or after the messages."""
    group: Message = message_fact("G", GROUP, text="Before", sender=author)
    events = [
        *map(event_of, evidence),
        *data.draw(st.permutations(MESSAGES))[:3],
        event_of(group),
        *(event_of(update) for update in UPDATES),
    ]
    orders = [events, *(data.draw(st.permutations(events)) for _ in range(2))]
    results: list[snapshot.Snapshot] = []
    for order in orders:
        history_database.clear()
        cut = data.draw(st.integers(0, len(order)))
        transactions = ([event] for event in order[:cut])
        folding.store_transactions(history_database.connection, range(1, 100), *transactions, order[cut:])
        results.append(snapshot.read(history_database.connection))

    assert not [line for result in results[1:] for line in snapshot.differences(results[0], result)]
