"""Answers with boilerplate, without an end, or copied from the question are found; sound ones are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_project import TEXT, THINGS, cleaned, flagged, row, usual
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.stages.clean import boilerplate
from tunesmith.stages.clean.copied import share_copied
from tunesmith.stages.clean.truncated import is_finished, unclosed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("As an AI language model, I have no tent of my own.", "model"),
        ("I'm just an AI, but tents are fun.", "model"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("I’m sorry, but I cannot fulfill that request.", "refusal"),
        ("Sorry, I can't help with that request.", "refusal"),
        ("I cannot create content that promotes fires.", "refusal"),
        ("Sure! Here is a reply to the customer: we will send it.", "opening"),
        ("Certainly! Here's a polite answer.", "opening"),
        ("Put the pole in first. I hope this helps!", "closing"),
        ("Dear customer, it is on its way. Best, [Your Name]", "slot"),
        ("Als KI-Sprachmodell kann ich keine Zelte kaufen.", "model"),
        ("Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.", "refusal"),
        ("En tant que modèle de langage, je ne dors pas.", "model"),
        ("Lo siento, pero no puedo ayudarte con eso.", "refusal"),
        ("Mi dispiace, ma non posso aiutarti con questo.", "refusal"),
        ("Como um modelo de linguagem, não tenho barraca.", "model"),
        ("Как языковая модель, я не сплю.", "model"),
        ("作为一个人工智能语言模型，我没有帐篷。", "model"),
    ],
)
def test_boilerplate_of_other_models_is_found(answer: str, kind: str) -> None:
    found = boilerplate.find(answer)
    assert found is not None
    assert found[0] == kind


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but we cannot refund a tent that was used.",
        "I'm sorry, I can't send it abroad, but our shop in Lyon can.",
        "Sorry, I can't help with that from here; billing can, at the counter.",
        "Sure, we will send it again today.",
        "Of course! Your refund is on its way.",
        "Certainly: two pegs are missing, and we send them today.",
        "I cannot find your order. Which name is it under?",
        "Let me know if you need anything else.",
        "The language of the model railway club is German.",
        "As an airline, we fly at night.",
        "Your account [EMAIL_1] is open again.",
        "Es tut mir leid, die Heringe fehlten. Wir senden sie heute.",
        "Lo siento, no podemos enviar la tienda a Canarias.",
        "Here is your invoice.",
    ],
)
def test_sound_replies_are_no_boilerplate(answer: str) -> None:
    assert boilerplate.find(answer) is None


def test_boilerplate_is_flagged_and_dropped_on_request(tmp_path: Path) -> None:
    odd = row("Can I return it?", "I'm sorry, but I can't assist with that.", 99)
    assert "a model refuses" in flagged(tmp_path, odd, "boilerplate")
    made = cleaned(tmp_path, [*usual(), odd], TEXT, drop=["boilerplate"])
    assert (made.line(odd).state, made.line(odd).code) == ("set_aside", "boilerplate")
    assert made.read("set_aside") == [odd]


@pytest.mark.parametrize(
    "answer",
    [
        "We looked for your tent and found it in the parcel, so it will be with the",
        "Here is how you do that:\n```sh\ntunesmith run\n",
        '{"parcel": 12, "state": "on its way", "day": "Fri',
    ],
)
def test_an_answer_that_stops_in_the_middle_is_flagged(tmp_path: Path, answer: str) -> None:
    assert answer[-10:].split()[-1] in flagged(tmp_path, row("And mine, is it late?", answer, 99), "truncated")


@pytest.mark.parametrize(
    "answer",
    [
        "It is on its way and will come on Friday.\n\nBest wishes,\nFern from Fernway",
        "You can follow the parcel on https://shop.example/parcels",
        "All of the parts together will cost you 125 €",
        "You will need these parts for the tent:\n- the poles\n- the pegs",
        "We hope that you will be glad with the tent 🙂",
        "He said that it is “on its way.”",
    ],
)
def test_answers_that_end_otherwise_are_left_alone(tmp_path: Path, answer: str) -> None:
    assert cleaned(tmp_path, [*usual(), row("And mine, is it late?", answer, 99)], TEXT).ledger == []


def test_where_answers_have_no_full_stop_none_is_truncated(tmp_path: Path) -> None:
    rows = [
        row(f"Headline number {at}", f"Ten good {THINGS[at % 15]}s for a long walk of {at} days", at)
        for at in range(60)
    ]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_answers_cut_at_one_length_are_flagged(tmp_path: Path) -> None:
    text = " ".join(f"{thing} and then the next {thing}" for thing in THINGS)
    cut = [row(f"Tell me all, number {at}", f"{at} {text[at:]}"[:200], 100 + at) for at in range(10, 18)]
    whole = [row(f"Tell me of {at}", f"{at} {text[: 120 + 3 * at].strip()}", at) for at in range(40)]
    made = cleaned(tmp_path, [*whole, *cut], TEXT)
    assert {line.id for line in made.ledger if line.code == "truncated"} == {example.id for example in cut}
    assert "exactly 200 characters" in made.ledger[0].evidence


@given(st.text())
def test_looking_for_an_unfinished_end_takes_any_text(text: str) -> None:
    assert is_finished(text + ".")
    unclosed(text)


def test_an_answer_that_copies_the_question_is_flagged(tmp_path: Path) -> None:
    question = "My tent came without the pegs and the bag is torn, can you send new ones before Saturday"
    assert "again" in flagged(tmp_path, row(question, f"{question}.", 99), "copied")
    assert "repeats 100%" in flagged(
        tmp_path, row(question, f"You say: {question}. We will see what we can do.", 98), "copied"
    )


def test_a_task_of_rewriting_is_no_copying(tmp_path: Path) -> None:
    rows = [
        row(
            f"please correct the sentence about {thing} and {at} more of them",
            f"Please correct the sentence about {thing} and {at} more of them.",
            at,
        )
        for at, thing in enumerate(THINGS * 2)
    ]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_a_short_quote_of_the_question_is_no_copy() -> None:
    assert (
        share_copied(
            "the bag is torn at the left seam", "The bag is torn? We are sorry and send you another one today."
        )
        is None
    )
