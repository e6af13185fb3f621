"""Placeholders: the same in all texts of an example, exact when taken back, and nothing is left to mask."""

from __future__ import annotations

import ipaddress
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.privacy.find import find
from tunesmith.privacy.mask import Masker
from tunesmith.privacy.span import KINDS

VALUES = {
    "email": "Anna.B@example.com",
    "phone": "+49 170 1234567",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "national_id": "536-22-1847",
    "ip_address": "192.168.1.20",
    "mac_address": "00:1B:44:11:3A:B7",
    "street_address": "12 Main Street",
    "api_key": "sk-proj-a1b2c3d4e5f6g7h8i9j0k1l2",
    "password": "password: Hunter2!",
    "url_credentials": "https://bob:s3cret@example.com",
}
FAKING = Masker(dict.fromkeys(KINDS, "fake"))


def test_the_same_value_is_the_same_placeholder_in_all_texts() -> None:
    masker = Masker().example([])
    assert masker.mask("I am anna@example.com, not ben@example.com").text == "I am [EMAIL_1], not [EMAIL_2]"
    assert masker.mask("Dear ANNA@example.com, call +49 170 1234567").text == "Dear [EMAIL_1], call [PHONE_1]"


def test_a_placeholder_that_was_there_is_not_given_again() -> None:
    texts = ["[EMAIL_1] wrote to anna@example.com"]
    assert Masker().example(texts).mask(texts[0]).text == "[EMAIL_1] wrote to [EMAIL_2]"


PIECES = st.one_of(
    st.sampled_from([*VALUES.values(), "[EMAIL_1]", "[PHONE_2]", "password: ", "@", "://", ":", "token="]),
    st.text(max_size=12),
    st.text(st.characters(codec=None, categories=["Cs", "Cf", "Cc", "Cn", "Co", "Nd", "So", "Lo"]), max_size=6),
    st.text("0123456789 -+().", max_size=24),
    st.text("\u200b\u00ad\u202e\uff20＠．ａbАа.@", max_size=10),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join) | st.lists(PIECES, max_size=8).map(" ".join)
MANY = settings(max_examples=300, deadline=None)


@given(st.lists(TEXTS, max_size=3))
@MANY
def test_any_text_is_masked_once_and_comes_back_whole(texts: list[str]) -> None:
    masker = Masker().example(texts)
    once = [masker.mask(text) for text in texts]
    assert [masked.restored() for masked in once] == texts
    again = Masker().example(masked.text for masked in once)
    assert [again.mask(masked.text).text for masked in once] == [masked.text for masked in once]


@given(TEXTS)
@MANY
def test_spans_are_inside_the_text_and_apart(text: str) -> None:
    spans = find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@given(st.lists(TEXTS, max_size=3))
@MANY
def test_fakes_come_back_whole_too(texts: list[str]) -> None:
    masker = FAKING.example(texts)
    assert [masker.mask(text).restored() for text in texts] == texts


JSONS = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(JSONS)
@settings(max_examples=150, deadline=None)
def test_json_stays_json_of_the_same_form(value: Any) -> None:
    masker = Masker().example([])
    masked, _ = masker.mask_json(value)
    assert _form(json.loads(json.dumps(masked))) == _form(value)
    text = json.dumps(value)
    assert _form(json.loads(masker.mask_either(text).text)) == _form(value) if text[:1] in "{[" else True


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return [_form(item) for item in value.values()]
    return [_form(item) for item in value] if isinstance(value, list) else "leaf"


def test_the_name_of_a_field_tells_what_its_value_is() -> None:
    masked, _ = Masker().example([]).mask_json({"password": "hunter2", "phone": "5552345678", "order": "5552345678"})
    assert masked == {"password": "[PASSWORD_1]", "phone": "[PHONE_1]", "order": "5552345678"}


def test_a_choice_of_the_schema_is_no_private_value() -> None:
    schema = {"properties": {"to": {"enum": ["it@example.com", "hr@example.com"]}}}
    value = {"to": "it@example.com", "from": "anna@example.com"}
    assert Masker().example([]).mask_json(value, schema)[0] == {"to": "it@example.com", "from": "[EMAIL_1]"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fake_is_another_value_of_the_same_kind_and_always_the_same(kind: str) -> None:
    text = VALUES[kind]
    one, other = (FAKING.example([]).mask(text).text for _ in range(2))
    assert one == other != text
    assert [span.kind for span in find(one)] == ([kind] if kind not in ("national_id", "api_key") else find_kinds(one))
    assert Masker(FAKING.choices, seed=1).example([]).mask(text).text != one


def find_kinds(text: str) -> list[str]:
    return [span.kind for span in find(text)]


def test_fakes_of_addresses_are_of_the_ranges_for_examples() -> None:
    text = FAKING.example([]).mask("from 192.168.1.20 to 2001:db9::ff00:42:8329, anna@firm.de").text
    words = text.replace(",", "").split()
    assert ipaddress.ip_address(words[1]).is_private  # the documentation ranges count as such
    assert words[3].startswith("2001:db8:")
    assert words[4].endswith("@example.com")


@pytest.mark.parametrize("unit", ["a@b.de ", "4111 1111 1111 1111 ", "1.", "a:", "Aa ", "password: ", "1 Aa ", "@"])
def test_a_long_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    masked = Masker().example([text]).mask(text)
    assert masked.restored() == text
