"""Whatever pieces an answer comes in, the same leaves, and nothing that is forbidden."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.deployment.rules.window_cases import cut, guard, leave, of_parts
from tunesmith.deployment.guard import Task
from tunesmith.deployment.rules.patterns import Patterns
from tunesmith.deployment.rules.repeats import Repeats
from tunesmith.deployment.rules.words import Words
from tunesmith.privacy.find import find
from tunesmith.privacy.growing import LONGEST_SPACED, MOST_HELD
from tunesmith.privacy.mask import Masker

SYSTEM = "You are the support desk of Larch Outdoor. Answer kindly, in two sentences, and never promise a refund."
WORDS = ["badword", "kill you", "schlecht", "坏人", "mer de"]
VALUES = [
    "anna.schmidt@example.com",
    "+49 30 901820",
    "(555) 010-9988",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "12 Main Street, Apt 4, Springfield, IL 62704",
    "Calle Mayor 12",
    "Hauptstraße 12, 10115 Berlin",
    "12, rue de la Paix",
    "192.168.4.17",
    "00:1B:44:11:3A:B7",
    "https://anna:hunter2secret@example.com/x",
    "password: hunter2secret",
    "sk-proj-abcdefghijklmnop1234567890",
    "api key = a8f5f167f44f4964e6c998dee827110c",
    "123-45-6789",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75\n-----END RSA PRIVATE KEY-----",
]
WINDOWED = [
    {"private": "all"},
    {"private": ["email", "phone"], "do": "refuse"},
    {"words": WORDS},
    {"words": WORDS, "disguised": False, "do": "refuse"},
    {"patterns": ["[A-Z]{2}-[0-9]{4,8}", r"\bsecret\b"], "do": "mask"},
    {"patterns": ["(?i)order [0-9]+ was (lost|stolen)"], "do": "refuse"},
    {"repeats": ["system"], "in_a_row": 5, "do": "mask"},
    {"repeats": ["system"], "in_a_row": 5},
]
PARTS = [
    *(*VALUES, *WORDS, "b a d w o r d", "k-i-l-l-y-o-u", "bàdw\u200bord", "AB-12345", "secret", "order 77 was lost"),
    *(SYSTEM, "Larch Outdoor. Answer kindly, in two", "2024-05-01", "3.5", "order 4711 will"),
]


@pytest.mark.parametrize("rule", WINDOWED, ids=lambda rule: " ".join(map(str, rule)))
@given(case=cut(of_parts(PARTS)))
@settings(max_examples=25, deadline=None)
def test_what_leaves_does_not_depend_on_the_pieces(rule: dict, case: tuple[str, list[int]]) -> None:
    text, cuts = case
    rules, task = guard(rule), Task(system=(SYSTEM,))
    whole, pieces = leave(rules, text, (), task), leave(rules, text, cuts, task)
    letters = leave(rules, text, range(1, len(text)), task)
    assert (whole.text, whole.said, whole.did) == (pieces.text, pieces.said, pieces.did)
    assert (whole.text, whole.said, whole.did) == (letters.text, letters.said, letters.did)


@given(case=cut(of_parts(PARTS)))
@settings(max_examples=25, deadline=None)
def test_several_rules_together_do_not_depend_on_the_pieces_either(case: tuple[str, list[int]]) -> None:
    text, cuts = case
    rules = guard(WINDOWED[0], WINDOWED[3], {"words": ["parcel"], "do": "refuse"}, {"at_most_words": 60}, WINDOWED[4])
    whole, pieces = leave(rules, text), leave(rules, text, cuts)
    assert (whole.text, whole.said, whole.did) == (pieces.text, pieces.said, pieces.did)


@given(case=cut(of_parts(PARTS)))
@settings(max_examples=60, deadline=None)
def test_no_private_value_leaves(case: tuple[str, list[int]]) -> None:
    text, cuts = case
    left = leave(guard({"private": "all"}), text, cuts)
    spans = [span for span in find(text) if span.end - span.start <= LONGEST_SPACED]
    for span in spans:
        value = text[span.start : span.end]
        assert left.text.count(value) <= _times_elsewhere(text, value, spans), value
    assert bool(left.did) >= bool(spans)


def _times_elsewhere(text: str, value: str, spans: list) -> int:
    """How often a value stands in the text where it is not found to be private."""
    pieces, at = [], 0
    for span in spans:
        pieces.append(text[at : span.start])
        at = span.end
    return "\0".join([*pieces, text[at:]]).count(value)


@given(texts=st.lists(st.sampled_from([*VALUES, "Thanks for your patience", "we will write back"]), max_size=6))
@settings(max_examples=25, deadline=None)
def test_private_data_in_a_letter_is_masked_as_in_training_rows(texts: list[str]) -> None:
    text = "".join(f"Here is what we have noted: {one}\nand so it goes on with the rest of it. " for one in texts)
    masked = Masker().example([text]).mask(text).text
    assert leave(guard({"private": "all"}), text, range(1, len(text))).text == masked


@pytest.mark.parametrize(
    ("finder", "rule"),
    [
        (Words(WORDS), {"words": WORDS, "do": "refuse"}),
        (Patterns(["[A-Z]{2}-[0-9]{4,8}", "secret"]), {"patterns": ["[A-Z]{2}-[0-9]{4,8}", "secret"]}),
        (Repeats([SYSTEM], ["a question"], 5), {"repeats": ["system"], "in_a_row": 5}),
    ],
    ids=["words", "patterns", "repeats"],
)
@given(case=cut(of_parts(PARTS)))
@example(case=("a  b a d w o r d", [4]))
@settings(max_examples=40, deadline=None)
def test_a_refusal_comes_before_anything_forbidden(finder: object, rule: dict, case: tuple[str, list[int]]) -> None:
    text, cuts = case
    left = leave(guard(rule), text, cuts, Task(system=(SYSTEM,)))
    spans = finder.spans(text)  # type: ignore[attr-defined]
    assert (left.said is not None) == bool(spans)
    assert text.startswith(left.text)
    if spans:
        assert len(left.text) <= spans[0][0]
    else:
        assert left.text == text


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ({"private": "all"}, 24),
        ({"words": ["badword", "kill you"]}, 24),
        ({"patterns": ["[A-Z]{2}-[0-9]{4,8}"]}, 30),
        ({"repeats": ["system"]}, 60),
    ],
    ids=["private", "words", "patterns", "repeats"],
)
def test_little_of_plain_prose_is_held_back(rule: dict, most: int) -> None:
    """With no digits, names or forbidden beginnings: the last word or two."""
    prose = "thank you for your message, we are sorry that it came late and will send the missing part at once. " * 5
    left, behind = leave(guard(rule), prose, range(1, len(prose)), Task(system=(SYSTEM,))), []
    out = 0
    for number, piece in enumerate(left.pieces[:-1]):
        out += len(piece)
        behind.append(number + 1 - out)
    assert left.text == prose
    assert max(behind) <= most


@given(text=of_parts([*VALUES, "We sent 3 parcels on 2024-05-01 to Anna Maria Schmidt in Berlin. "], most=30))
@settings(max_examples=40, deadline=None)
def test_what_is_held_back_for_private_data_is_bounded(text: str) -> None:
    text = text.replace("-----BEGIN", "")
    left, out = leave(guard({"private": "all"}), text, range(1, len(text))), 0
    longest = max((len(run) for run in text.split()), default=0)
    # a placeholder may be shorter than its value by the value's length
    values = sum(span.end - span.start for span in find(text))
    for number, piece in enumerate(left.pieces[:-1]):
        out += len(piece)
        assert number + 1 - out <= MOST_HELD + longest + values


def test_placeholders_that_the_request_came_with_stand_for_something_else() -> None:
    left = leave(guard({"private": "all"}), "Write to b@example.com.", asked="I am [EMAIL_1]")
    assert left.text == "Write to [EMAIL_2]."
