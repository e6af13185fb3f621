"""The cheap look before the search: what it says is clean holds nothing private."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.privacy.test_find import PRIVATE
from tunesmith.privacy.credentials import _MARKS
from tunesmith.privacy.find import find, may_hold

#: Values without a digit, and pieces of some.
PIECES = [
    *(value for _, _, value in PRIVATE),
    *_MARKS,
    "ab:cd:ef:ab:cd:ef",
    "ab-cd-ef-ab-cd-ef",
    "abcd.efab.cdef",
    "-----BEGIN PRIVATE KEY-----",
    "a@b.de",
    "https://me:secret@host/",
    ": geheim!Wort",
    " is ",
    "=",
    "\u200b",
    "\ufeff",
    "ＰＡＳＳＷＯＲＤ",
]


@pytest.mark.parametrize(("kind", "sentence", "value"), PRIVATE)
def test_no_private_value_is_overlooked(kind: str, sentence: str, value: str) -> None:
    assert may_hold(sentence.format(value))


@pytest.mark.parametrize("value", ["ab:cd:ef:ab:cd:ef", "AB-CD-EF-AB-CD-EF", "abcd.efab.cdef", "Пароль: Солнышко!x"])
def test_values_without_a_digit_are_not_overlooked(value: str) -> None:
    assert find(value)
    assert may_hold(value)


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=6).map("".join))
def test_what_the_look_says_is_clean_is_clean(text: str) -> None:
    assert may_hold(text) or find(text) == []


def test_a_sentence_without_any_sign_is_not_searched() -> None:
    assert not may_hold("The parcel is late - where is it? Thank you.")
