"""A query finds a text however the number or the code in it is spelled."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model import spelling
from store.search_index import search_document

SEPARATORS = st.sampled_from(["", "-", "/", ".", "_", " ", "\u00a0", "\u2011", "\u202f", " - ", "\u200d", "(", ") "])
PARTS = st.lists(st.text("ABCXYZ0123456789", min_size=1, max_size=5), min_size=1, max_size=4)
ZEROS = [chr(code) for code in range(0x80, 0x20000) if unicodedata.decimal(chr(code), None) == 0 and code + 9 < 0x20000]


def finds(query: str, text: str) -> bool:
    """Return whether the document has every word of the query, as the search compares them."""
    document = search_document.build(text)
    words = search_document.split_query(query)
    return bool(words) and all(word in document for word in words)


CODES = ["Order no. PO-88/2231-X please", "the part is NOR.0707-60", "our order KT INS114 DRE"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        *((query, 0) for query in ("PO88", "po-88", "PO 88", "PO882231X", "2231X", "88/2231", "PO\u201188")),
        *((query, 1) for query in ("NOR070760", "nor 0707 60", "nor.0707", "0707-60")),
        *((query, 2) for query in ("KT-INS114", "KTINS114DRE", "kt ins114", "INS-114", "ins114dre")),
        ("PO99", None),
    ],
)
def test_a_code_is_found_in_any_spelling(query: str, found: int | None) -> None:
    assert [n for n, text in enumerate(CODES) if finds(query, text)] == ([] if found is None else [found])


@given(PARTS, st.data())
def test_separators_and_scripts_of_a_code_do_not_matter(parts: list[str], data: st.DataObject) -> None:
    """The text and the query have different separators. One of the parts contains a digit."""
    parts[0] += "7"
    text = parts[0] + "".join(data.draw(SEPARATORS) + part + "7" for part in parts[1:])
    code = parts[0] + "".join(part + "7" for part in parts[1:])

    assert finds(code, f"please send {text} tomorrow")
    assert finds(text, f"please send {text} tomorrow")


@given(st.text("0123456789", min_size=5, max_size=12), st.sampled_from(ZEROS), st.sampled_from(ZEROS))
def test_digits_of_any_script_are_the_same_number(number: str, text_zero: str, query_zero: str) -> None:
    def write(zero: str) -> str:
        return "".join(chr(ord(zero) + int(digit)) for digit in number)

    assert finds(write(query_zero), f"ઓર્ડર {write(text_zero)}")


@given(st.text())
def test_every_word_of_a_text_finds_it(text: str) -> None:
    words = spelling.normalize(text).split()

    assert all(finds(word, text) for word in words)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("1214", "rooms 12, 14 and 15"),
        ("wellknown", "it is well known"),
        ("po88", "po 8"),
        ("100%", "100 pieces"),
    ],
)
def test_what_is_not_one_word_is_not_joined(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [("iPhone手机", "新iPhone手机很好"), ("गुजरात", "ગુજરાત गुज\u200dरात"), ("cafe", "CAFÉ"), ("dont", "don\u2019t")],
)
def test_scripts_case_accents_and_joiners_do_not_matter(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    "text", ["\ufdfa" * 65_536, "1 " * 40_000, "a-" * 40_000, "好" * 70_000, "z" + "\u0301" * 70_000, "x" * 1_000_000]
)
def test_a_document_is_bounded(text: str) -> None:
    """Whatever anybody sends, its document in the index has a bounded length."""
    assert len(search_document.build(text)) <= 6 * 65_536
