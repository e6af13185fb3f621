"""Names: what the model finds is judged by what stands around it, and a name is the same in all texts of a row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import InputError, TunesmithError
from tunesmith.privacy import name_finder
from tunesmith.privacy.fake import fake
from tunesmith.privacy.find import find
from tunesmith.privacy.mask import Masker
from tunesmith.privacy.name_finder import find_names, require_names
from tunesmith.privacy.names import Name, gathered, judged, staying
from tunesmith.privacy.span import NAME_KINDS

KINDS = frozenset(NAME_KINDS)
DICTIONARY = frozenset(("galaxy", "watch", "brown", "smith", "portal", "billing", "will"))


def judgement(text: str, found: str, kind: str = "person") -> tuple[str, str] | None:
    start = text.index(found)
    name = judged(text, kind, start, start + len(found), DICTIONARY)  # type: ignore[arg-type]
    return (name[0], text[name[1] : name[2]]) if name else None


def test_a_find_counts_where_the_words_before_it_or_its_form_say_that_it_is_a_name() -> None:
    assert judgement("My name is Brown, thanks", "Brown") == ("person", "Brown")
    assert judgement("Dear Ms Achterberg,", "Ms Achterberg") == ("person", "Achterberg")
    assert judgement("we told Rajesh Kumar that", "Rajesh Kumar") == ("person", "Rajesh Kumar")
    assert judgement("Anna's printer", "Anna's") == ("person", "Anna")
    assert judgement("It broke.\n\nRegards,\nOkonkwo", "Okonkwo") == ("person", "Okonkwo")
    assert judgement("the bill of Acme Widgets GmbH", "Acme Widgets GmbH") == ("organisation", "Acme Widgets GmbH")
    assert judgement("I work for Fernway", "Fernway", "place") == ("organisation", "Fernway")
    assert judgement("she lives in Utrecht now", "Utrecht", "place") == ("place", "Utrecht")


def test_a_product_a_label_a_brand_or_a_word_of_the_sentence_does_not_count() -> None:
    assert judgement("my Galaxy Watch is dead", "Galaxy Watch") is None
    assert judgement("the Brown Betty teapot", "Brown Betty") is None
    assert judgement("the Mary Jane shoes", "Mary Jane") is None
    assert judgement("is this Camtasia", "Camtasia") is None
    assert judgement("pay with Visa in PayPal", "PayPal", "place") is None
    assert judgement("in the Billing Portal", "Billing Portal", "place") is None
    assert judgement("order A12 Kumar", "A12 Kumar") is None
    assert judgement("ask about VPN", "VPN", "organisation") is None


def test_what_stays_is_no_name_however_it_is_written() -> None:
    stay = staying(["apple_pay", "Late Delivery", "Fernway Support"])
    found: list[tuple[Any, str]] = [("organisation", "Apple Pay"), ("person", "Fernway"), ("person", "Anna Fern")]
    assert [name.text for name in gathered(found, stay)] == ["Anna Fern", "Anna", "Fern"]


def test_a_part_of_a_name_is_the_same_person_but_not_where_a_sentence_begins_and_goes_on() -> None:
    names = gathered([("person", "Will Okafor")], frozenset())
    text = "Will you call Will Okafor? Dear Mr Okafor, Will. Okafors"
    found = find(text, (), (), names)
    assert [text[span.start : span.end] for span in found] == ["Will Okafor", "Okafor", "Will"]
    assert {span.key for span in found} == {"will okafor"}


def test_a_name_is_one_placeholder_in_question_and_answer_and_one_fake() -> None:
    names = gathered([("person", "Anna Okafor"), ("place", "Utrecht")], frozenset())
    choices = dict.fromkeys(NAME_KINDS, "mask")
    masker = Masker(choices).example([], names)  # type: ignore[arg-type]
    assert masker.mask("I am Anna Okafor of Utrecht").text == "I am [PERSON_1] of [PLACE_1]"
    assert masker.mask("Dear Ms Okafor, Utrecht is shut").text == "Dear Ms [PERSON_1], [PLACE_1] is shut"
    faked = fake("person", "Anna Okafor", "anna okafor", 3)
    assert fake("person", "Okafor", "anna okafor", 3) == faked.split()[1]
    assert fake("person", "Anna", "anna okafor", 3) == faked.split()[0]


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_finder, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"clean\.private\.person: .* presidio-analyzer .*\[missing_extra\]") as told:
        require_names("clean.private.person")
    assert "tunesmith[names]" in told.value.fix


def test_another_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_finder, "DIGEST", "0" * 64)
    with pytest.raises(TunesmithError, match="names_model_differs"):
        name_finder._checked_folder.__wrapped__()


def texts_of(names: tuple[Name, ...]) -> list[tuple[str, str]]:
    return [(name.kind, name.text) for name in names if not name.part]


def test_the_model_finds_names_and_the_batch_does_not_change_what_it_finds() -> None:
    texts = [
        ["Hi, I am Anna Schmidt and my order has not arrived.", "Dear Ms Schmidt, we have sent it."],
        ["Can I pay with Apple Pay or only with Visa?", "The Galaxy Watch does not pair with my Surface Pro."],
        ["Bitte rufen Sie Herrn Okonkwo an, er ist nicht da", "Das ist die Rechnung von Frau Schmidt"],
        ["please tell my manager Rajesh Kumar that it is closed\0\ud800"],
        ["Hi, this is Anna Schmidt from Acme GmbH in Berlin, my order has not arrived."],
    ]
    batch = find_names(texts, KINDS)
    assert texts_of(batch[0])[0] == ("person", "Anna Schmidt")
    assert texts_of(batch[1]) == texts_of(batch[2]) == []
    assert ("person", "Rajesh Kumar") in texts_of(batch[3])
    assert set(texts_of(batch[4])) == {("person", "Anna Schmidt"), ("organisation", "Acme GmbH"), ("place", "Berlin")}
    assert [find_names([one], KINDS)[0] for one in texts] == batch
    assert find_names(texts[4:], frozenset(("place",)))[0] == (Name("place", "Berlin", "berlin"),)


@given(st.lists(st.text(max_size=60), max_size=3), st.sampled_from(["", "my name is Anna Kovač and the "]))
@settings(max_examples=25, deadline=None)
def test_any_text_is_read_and_names_stand_in_it(texts: list[str], before: str) -> None:
    texts = [before + text for text in texts]
    masker = Masker(dict.fromkeys(NAME_KINDS, "mask"))  # type: ignore[arg-type]
    names = find_names([texts], KINDS)[0]
    once = masker.example(texts, names)
    for text in texts:
        assert once.mask(text).restored() == text


def test_a_long_text_is_read_in_pieces() -> None:
    text = "nothing to see here, move on. " * 400 + "My name is Anna Okafor and the bill is wrong."
    assert ("person", "Anna Okafor") in texts_of(find_names([[text]], KINDS)[0])
