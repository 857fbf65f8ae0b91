"""Texts that read alike have one spelling in any script, and normalising takes a bounded time for any text."""

import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model import spelling

DIGITS = [chr(code) for code in range(0x20000) if unicodedata.decimal(chr(code), None) is not None]


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("Ünïcode ﬁsh \uff21\uff22\uff23", "unicode fish abc"),
        ("Straße İstanbul ISPARTA \u0131sparta", "strasse istanbul isparta isparta"),
        ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"),
        ("ｶﾞｷﾞ", spelling.normalize("ガギ")),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("ㄱㅏ", "가"),
        ("ऑर्\u200dडर १२", "ऑर्डर 12"),
        ("كِتَاب ـ كتاب ي ى ی", "كتاب  كتاب ي ي ي"),
        ("9️⃣8⃣ ❾ ⓽ ⁹ \U0001d7e1", "98 9 9 9 9"),
        ("a\u00a0b\u202fc\u2009d\u3000e\u2028f\u0085g\th\u2800i", "a b c d e f g h i"),
        ("a\u2010b\u2011c\u2012d—e\u2212f﹣g\uff0dh", "a-b-c-d-e-f-g-h"),
        ("so\u00adft \u202eright\u202c \u2066it\u2069 \ufeffb\u200bo\u2060m", "soft right it bom"),
        ("don\u2019t ½", "don't 1/2"),
    ],
)
def test_spellings_that_read_alike_are_one(text: str, normalized: str) -> None:
    assert spelling.normalize(text) == spelling.normalize(normalized)


def every_character() -> Iterator[str]:
    return (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)


def test_ascii_is_spelled_alike_alone_and_beside_another_script() -> None:
    ascii_characters = list(map(chr, range(128)))

    beside = [spelling.normalize(character + "ह")[:-1] for character in ascii_characters]
    assert [spelling.normalize(character) for character in ascii_characters] == beside
    assert spelling.normalize("".join(ascii_characters)) == "".join(beside)


def test_the_digits_of_every_script_are_digits() -> None:
    """Unicode has more than sixty sets of them, and new versions add some."""
    assert len(DIGITS) > 600
    assert [spelling.normalize(digit) for digit in DIGITS] == [str(unicodedata.decimal(digit)) for digit in DIGITS]


def test_spaces_dashes_and_invisible_characters_are_each_one() -> None:
    by_category = {
        name: [c for c in every_character() if unicodedata.category(c) == name] for name in ("Zs", "Pd", "Cf")
    }

    assert {spelling.normalize(c) for c in by_category["Zs"]} == {" "}
    assert {spelling.normalize(c) for c in by_category["Pd"]} == {"-"}
    assert {spelling.normalize(c) for c in by_category["Cf"]} == {""}


@pytest.mark.long
def test_normalising_every_character_again_changes_nothing() -> None:
    for character in every_character():
        once = spelling.normalize(character)
        assert spelling.normalize(once) == once, hex(ord(character))


@given(st.text())
def test_normalising_a_text_again_changes_nothing(text: str) -> None:
    once = spelling.normalize(text)

    assert spelling.normalize(once) == once


@given(st.text())
def test_canonically_equivalent_texts_have_one_spelling(text: str) -> None:
    """WhatsApp for macOS sends decomposed text, whereas other senders send composed text."""
    assert spelling.normalize(unicodedata.normalize("NFD", text)) == spelling.normalize(text)


@given(st.text())
def test_offsets_refer_to_the_composed_text(text: str) -> None:
    composed = spelling.compose(text)
    normalized, offsets = spelling.normalize_with_offsets(composed)

    assert normalized == spelling.normalize(text)
    assert len(offsets) == len(normalized)
    assert offsets == sorted(offsets)
    assert all(0 <= offset < len(composed) for offset in offsets)


@pytest.mark.parametrize(
    "marks", ["\u0301", "\u0301\u0316", "\u0316\u0301\u093c\u094d", "\u3099\u0e38", "\u20dd", "\ufe0f"]
)
def test_runs_of_marks_are_cut_before_they_cost_anything(marks: str) -> None:
    """Sorting a run of n marks takes up to n² steps. 64,000 marks delayed the search index by 23 seconds."""
    text = "|" + marks * (64_000 // len(marks)) + "|" + marks * 3

    composed = spelling.compose(text)

    assert longest_run_of_marks(composed) <= 8
    assert composed.startswith("|")
    assert composed.count("|") == 2
    assert len(spelling.normalize(text)) <= len(text)


def test_marks_that_a_script_needs_stay() -> None:
    assert spelling.compose("กี่ क़्षि ẫ שָּׁ") == unicodedata.normalize("NFC", "กี่ क़्षि ẫ שָּׁ")
    assert spelling.normalize("की") != spelling.normalize("का")
    assert spelling.normalize("ที่") != spelling.normalize("ที")


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "\u200e\u00a0", "\u115f\u1160", "\ufe0f", "\U000e0020", " \t"])
def test_invisible_text_is_blank(name: str) -> None:
    assert spelling.is_blank(name)
    assert not spelling.is_blank(name + ".")


def longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        longest = max(longest, run)
    return longest


@given(st.text(max_size=200), st.integers(0, 300))
def test_the_start_of_a_text_is_spelled_like_the_whole(text: str, max_length: int) -> None:
    assert spelling.normalize_start(text, max_length) == spelling.normalize(text[:max_length])[:max_length]
