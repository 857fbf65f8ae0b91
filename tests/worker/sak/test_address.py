import pytest

from worker.sak import address


@pytest.mark.parametrize(
    ("spelled", "kept"),
    [
        ("919811000001@s.whatsapp.net", "919811000001"),
        ("919811000001:22@s.whatsapp.net", "919811000001"),
        ("919811000001_1:22@s.whatsapp.net", "919811000001"),
        ("919811000001@c.us", "919811000001"),
        (" 919811000001@C.US ", "919811000001"),
        ("919811000001", "919811000001"),
        ("+919811000001", "919811000001"),
        ("+91 98110 00001", "919811000001"),
        ("+91-98110-00001", "919811000001"),
        ("(+91) 98110.00001", "919811000001"),
        ("+91\u00a098110\u201100001", "919811000001"),
        ("\u202a+91 98110 00001\u202c", "919811000001"),
        ("00919811000001", "919811000001"),
        ("919811000001:22", "919811000001"),
        (919811000001, "919811000001"),
        ("120363041234567890@g.us", "120363041234567890@g.us"),
        ("919811000001-1612345678@g.us", "919811000001-1612345678@g.us"),
        ("200000000000011@lid", "200000000000011@lid"),
        ("200000000000011:7@lid", "200000000000011@lid"),
        ("120363999999@newsletter", "120363999999@newsletter"),
        ("status@broadcast", "status@broadcast"),
        ("1612345678@broadcast", "1612345678@broadcast"),
        ("867051314767696@bot", "867051314767696@bot"),
    ],
)
def test_one_chat_has_one_address_however_it_is_spelled(spelled: object, kept: str) -> None:
    """Two spellings kept apart would split a conversation in two."""
    assert address.parse(spelled) == kept


@pytest.mark.parametrize(
    "spelled",
    [
        *("", " ", "@", "@s.whatsapp.net", "Asha", "Asha@s.whatsapp.net", "status@lid", "status@g.us", "1-2@lid"),
        *("919811", "9198110000011111", "0919811000001", "000919811000001", "+", "++919811000001", "91981100000१"),
        *("0@s.whatsapp.net", "919811000001@mail.example", "919811000001@s.whatsapp.net.example", "1@2@g.us"),
        *(
            "919811000001\n919811000002",
            "919811000001,919811000002",
            "9" * 100_000,
            "9" * 100_000 + "@lid",
            "\ud800@lid",
        ),
        *(None, True, False, 0, -919811000001, 919811000001.0, [], {}, {"id": "919811000001"}),
    ],
)
def test_an_invalid_address_is_none(spelled: object) -> None:
    """An address made up from nonsense would be a chat that nobody has."""
    assert address.parse(spelled) is None


@pytest.mark.parametrize(
    "value", ["+919811000001", " +91 98110 00001", "919811000001@s.whatsapp.net", "919811000001:2@c.us"]
)
def test_a_jid_and_a_number_with_plus_are_trusted(value: object) -> None:
    """These are the two ways in which the gateway says that it knows the phone."""
    assert address.parse_unambiguous_phone(value) == "919811000001"


@pytest.mark.parametrize("value", ["919811000001", 919811000001, "200000000000011", "200000000000011@lid", "+", None])
def test_bare_digits_are_not_trusted(value: object) -> None:
    """In the chat of a LID the gateway puts the LID's digits there: trusted, they would merge it with a stranger."""
    assert address.parse_unambiguous_phone(value) is None
