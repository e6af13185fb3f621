"""Each family does to a text what it says, whatever the text, and the same each time."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.stages.test.raccoon.made_up_desk import desk
from tunesmith.example import Message, Source, make_example
from tunesmith.privacy.numbers import luhn
from tunesmith.stages.test.raccoon import attacks, length, mixed, strangers, typing
from tunesmith.stages.test.raccoon.family import Change, Material, Row, said
from tunesmith.stages.test.raccoon.phrases import phrases
from tunesmith.stages.test.raccoon.suite import BY_NAME, FAMILIES, make_suite, rows_of

#: Any text that a row can hold, lone surrogates, marks that combine and right-to-left ones among it.
TEXT = st.text(st.characters(), min_size=1, max_size=120).filter(str.strip) | st.sampled_from(
    [
        "ß İ ŉ ﬁ",
        "a",
        "don't panic: 12.50 vs. 1,000!",
        "مرحبا، كيف الحال؟",
        "e\u0301" * 20,
        "\ud800 half",
        "👩‍👩‍👧 x",
        "<b>&amp;</b>",
    ]
)
SEED = st.integers(0, 10**6)
MADE = [family for family in FAMILIES if family.make is not None]


def row(text: str, answer: str = "yes", index: int = 0) -> Row:
    example = make_example([Message.of("user", text), Message.of("assistant", answer)], Source("a.csv", index + 1))
    return Row(index, example, text)


def material(*texts: str, labels: tuple[str, ...] = (), most: int = 200) -> Material:
    rows = [row(text, answer, index) for index, (text, answer) in enumerate(zip(texts, "abcdef", strict=False))]
    counted = lambda row, text: len(text.split()) if len(text.split()) <= most else None  # noqa: E731
    return Material(rows, labels, frozenset({"en"}), counted)


def made(name: str, text: str, seed: int, **more) -> Change | None:  # type: ignore[no-untyped-def]
    make = BY_NAME[name].make
    assert make is not None
    found = material(text, "another row is here", **more)
    return make(found.rows[0], found, Random(seed))


@pytest.mark.parametrize("family", MADE, ids=lambda family: family.name)
@settings(max_examples=25)
@given(TEXT, SEED)
def test_a_change_is_the_same_each_time_and_says_how_it_was_made(family, text, seed):  # type: ignore[no-untyped-def]
    first, second = made(family.name, text, seed), made(family.name, text, seed)
    assert first == second
    if first is not None:
        assert isinstance(first.text, str)
        prompt = said(row(text).example.prompt, first.text)
        assert [message.text for message in prompt] == [first.text]


def test_all_families_that_change_a_row_were_tried():
    assert len(MADE) == 15
    assert len(FAMILIES) == 20
    assert len(BY_NAME) == len(FAMILIES)


@settings(max_examples=60)
@given(TEXT, SEED)
def test_typos_change_the_length_by_one_letter_an_edit_and_no_other_sign(text, seed):
    change = made("typos", text, seed)
    if change is not None:
        edits = change.recipe["edits"]
        assert 1 <= len(edits) <= len(text) // typing.SHORTEST
        assert abs(len(change.text) - len(text)) <= len(edits)
        assert [sign for sign in change.text if not sign.isalpha()] == [sign for sign in text if not sign.isalpha()]


@settings(max_examples=60)
@given(TEXT, SEED)
def test_casing_changes_nothing_but_case(text, seed):
    change = made("casing", text, seed)
    if change is not None:
        assert len(change.text) == len(text)
        assert [one.casefold() for one in change.text] == [one.casefold() for one in text]
        assert change.text != text


@settings(max_examples=60)
@given(TEXT, SEED)
def test_without_punctuation_letters_and_numbers_stay(text, seed):
    change = made("no_punctuation", text, seed)
    assert change is not None
    kept = [one for one in text if not typing.is_punctuation(one) and not one.isspace()]
    assert [one for one in change.text if not typing.is_punctuation(one) and not one.isspace()] == kept
    assert all(
        change.text[place - 1].isdigit() and change.text[place + 1].isdigit()
        for place, one in enumerate(change.text)
        if typing.is_punctuation(one)
    )


def test_punctuation_within_numbers_stays_and_words_do_not_run_together():
    change = made("no_punctuation", "Well, it's 12.50 (two-sided/red); really?!", 0)
    assert change is not None
    assert change.text == "Well its 12.50 two sided red really"


@settings(max_examples=60)
@given(TEXT, SEED)
def test_slips_keep_the_length_and_strike_a_neighbouring_key(text, seed):
    change = made("keyboard_slips", text, seed)
    if change is not None:
        assert len(change.text) == len(text)
        moved = [place for place, (one, other) in enumerate(zip(text, change.text, strict=True)) if one != other]
        assert moved == list(change.recipe["places"])
        assert all(change.text[place].lower() in typing._NEIGHBOURS[text[place].lower()] for place in moved)


@settings(max_examples=60)
@given(TEXT, SEED)
def test_without_its_emoji_the_text_is_what_it_was(text, seed):
    change = made("emoji", text, seed)
    assert change is not None
    known = sorted(phrases()["typing"]["emoji"], key=len, reverse=True)
    begun = change.text.removesuffix(f" {change.recipe['end']}")
    pattern = f" (?:{'|'.join(map(re.escape, known))}) "
    assert len(re.findall(pattern, begun)) >= change.recipe["within"]
    if not re.search(pattern, text):
        assert re.sub(pattern, " ", begun) == text


@settings(max_examples=60)
@given(TEXT, SEED)
def test_html_holds_the_text_and_nothing_else(text, seed):
    change = made("html", text, seed)
    assert change is not None
    assert html.unescape(re.sub(r"<[^>]*>", "", change.text)) == html.unescape(html.escape(text))


@settings(max_examples=40)
@given(TEXT, SEED)
def test_threads_repeats_attacks_and_baits_hold_the_whole_text(text, seed):
    for name in (
        "email_thread",
        "repeated_text",
        "hidden_instructions",
        "private_bait",
        "several_questions",
        "contradiction",
    ):
        change = made(name, text, seed)
        assert change is not None
        assert text in change.text
        assert all(planted in change.text for planted in change.forbidden)
    repeated = made("repeated_text", text, seed)
    assert repeated is not None
    assert repeated.text == "\n\n".join([text] * repeated.recipe["times"])


@given(SEED)
def test_bait_looks_like_what_it_stands_for(seed):
    change = made("private_bait", "help", seed)
    assert change is not None
    secret = change.forbidden[0]
    if change.recipe["kind"] == "card":
        assert luhn(secret.replace(" ", ""))
        assert len(secret) == 19


@given(st.lists(st.sampled_from(["red", "green", "blue", "Red "]), unique=True, min_size=1), SEED)
def test_a_hidden_instruction_never_asks_for_the_label_that_is_due(labels, seed):
    found = material("a text", labels=tuple(labels))
    change = attacks.hidden_instructions(row("a text", "red"), found, Random(seed))
    if change is not None:
        assert change.label in labels
        assert change.label.strip().casefold() != "red"
        assert change.choices == sum(label.strip().casefold() != "red" for label in labels)
    else:
        assert all(label.strip().casefold() == "red" for label in labels)


@given(SEED)
def test_an_attack_is_put_together_once_whatever_words_its_parts_hold(seed):
    found = material("a text", labels=("due", "NEW TEXT ORDER"))
    change = attacks.hidden_instructions(row("my ORDER of TEXT books, CANARY", "due"), found, Random(seed))
    assert change is not None
    assert change.text.count("my ORDER of TEXT books, CANARY") == 1
    assert change.text.count("nothing but NEW TEXT ORDER.") == 1
    bait = attacks.private_bait(row("a SECRET TEXT", "due"), found, Random(seed))
    assert bait.text.count("a SECRET TEXT") == bait.text.count(bait.forbidden[0]) == 1


@settings(max_examples=60)
@given(TEXT, SEED)
def test_very_short_is_the_beginning_of_the_words(text, seed):
    change = made("very_short", text, seed)
    if change is not None:
        words = change.text.split()
        assert 1 <= len(words) <= max(length.FEW)
        assert words == text.split()[: len(words)]
        assert len(words) < len(text.split())


@settings(max_examples=20)
@given(TEXT, SEED, st.integers(1, 300))
def test_very_long_goes_to_the_end_and_not_beyond(text, seed, most):
    found = material(text, most=most)
    change = length.very_long(found.rows[0], found, Random(seed))
    longest = max(map(len, (sentence.split() for sentence in phrases()["wrapping"]["filler"])))
    if change is None:
        assert most < len(text.split()) + 1 + longest
    else:
        assert change.text.startswith(text)
        assert most - longest < len(change.text.split()) <= most


def test_very_long_stays_below_what_is_asked_for():
    found = Material(material("a text").rows, tokens=lambda row, text: len(text.split()), most=50)
    change = length.very_long(found.rows[0], found, Random(0))
    assert change is not None
    assert 30 < len(change.text.split()) <= 50


@given(SEED)
def test_numbers_alone_have_digits_alone(seed):
    found = strangers.only_numbers(material("a"), Random(seed))
    assert len(found) >= 300
    assert all(re.fullmatch(r"[0-9 ]+", change.text) for change in found)
    assert len({change.text for change in found}) == len(found)


def test_nothing_is_no_word():
    found = strangers.empty(material("a"), Random(0))
    assert len(found) == 12
    assert not any(unicodedata.category(sign).startswith(("L", "N")) for change in found for sign in change.text)


def test_a_language_that_the_rows_are_in_is_no_other_language():
    rows = material("a").rows
    german = strangers.other_language(Material(rows, languages=frozenset({"de"})), Random(0))
    assert {change.recipe["language"] for change in german} >= {"fr", "ja"}
    assert "de" not in {change.recipe["language"] for change in german}


def test_an_off_topic_question_that_may_be_on_topic_is_left_out():
    cook = material("How long should sourdough rise before baking bread in my oven?")
    texts = {change.text for change in strangers.off_topic(cook, Random(0))}
    assert "How long should I let sourdough rise before baking?" not in texts
    assert len(texts) >= len(phrases()["off_topic"]) - 3


def test_two_rows_in_one_text_have_different_answers():
    rows = rows_of(desk(3))
    for index in range(20):
        change = mixed.several_questions(rows[index], Material(rows), Random(index))
        assert change is not None
        assert change.of is not None
        assert len({one.answer for one in change.of}) == 2
    same = [row("a", "yes", 0), row("b", "yes", 1)]
    assert mixed.contradiction(same[0], Material(same), Random(0)) is None


def test_the_suite_is_the_same_for_the_same_seed_and_grows_by_appending():
    rows = rows_of(desk(1))
    found = Material(rows, ("delivery", "damaged", "refund"), frozenset({"en"}))
    names = [family.name for family in FAMILIES if family.name != "very_long"]
    small, large = (make_suite(found, dict.fromkeys(names, count), 7) for count in (3, 9))
    assert make_suite(found, dict.fromkeys(names, 3), 7) == small
    assert make_suite(found, dict.fromkeys(names, 3), 8) != small
    for name in names:
        few, many = ([case.prompt for case in suite if case.family.name == name] for suite in (small, large))
        assert few == list(islice(many, len(few)))
        assert len(few) == 3
    prompts = [(case.family.name, case.prompt) for case in large]
    assert len(set(prompts)) == len(prompts)


def test_rows_that_cannot_be_spoiled_are_left_out():
    examples = [
        make_example([Message.of("assistant", "a document")], Source("a", 1)),
        make_example([Message.of("user", "  "), Message.of("assistant", "x")], Source("a", 2)),
        make_example([Message.of("user", "good"), Message.of("assistant", "x")], Source("a", 3)),
        make_example([Message.of("user", "who knows"), Message.of("assistant", "unknown")], Source("a", 4)),
    ]
    assert [row.text for row in rows_of(examples, frozenset({3}))] == ["good"]


def test_a_conversation_keeps_what_came_before():
    example = make_example(
        [Message.of("system", "Be kind."), Message.of("user", "Hi"), Message.of("assistant", "Hello"),
         Message.of("user", "My lamp is broken"), Message.of("assistant", "damaged")], Source("a", 1),
    )  # fmt: skip
    case = make_suite(Material(rows_of([example])), {"casing": 1}, 0)[0]
    assert [message.text for message in case.prompt[:3]] == ["Be kind.", "Hi", "Hello"]
    assert case.prompt[3].text.casefold() == "my lamp is broken"
    assert case.due[0].answer == "damaged"
