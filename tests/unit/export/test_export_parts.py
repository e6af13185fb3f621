"""Rows to replay, differences and their causes, the bounds, and the words of a Modelfile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.allowed_code import allow
from tunesmith.cli import export as verb
from tunesmith.errors import InputError
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.export import forms, ollama
from tunesmith.export.certificate import Certificate, ScoreLoss, faults_of, losses, page
from tunesmith.export.compare import Comparison, compare_labels, compare_texts
from tunesmith.export.replay import chosen_rows
from tunesmith.export.run import _refusal
from tunesmith.export.settings import ExportSettings
from tunesmith.export.shrink import Tried, smallest
from tunesmith.learners.protocol import Replayed
from tunesmith.products import Criterion, GoalSheet, Rule

F16 = forms.form_of("causal_lm", "gguf")
Q8 = forms.form_of("causal_lm", "gguf", "q8_0")
END = 0


def row(number: int, text: str) -> Example:
    return make_example([Message.of("user", text), Message.of("assistant", "x")], Source("t.csv", number))


def answer(*tokens: int, prompt: tuple[int, ...] = (7, 8), finished: bool = True) -> Replayed:
    return Replayed(prompt, tokens, " ".join(map(str, tokens)), finished, 0.1, tuple(-0.1 for _ in tokens))


def test_the_verb_offers_the_forms_that_there_are() -> None:
    assert verb.KINDS == forms.KINDS
    assert set(verb.PRECISIONS) == set(forms.PRECISIONS)


def test_a_form_that_the_model_does_not_have_is_told_with_those_it_has() -> None:
    with pytest.raises(InputError, match="gguf f16"):
        forms.form_of("causal_lm", "onnx")
    assert [form.precision for form in forms.shrinking("causal_lm")] == ["f16", "q8_0", "q5_1", "q4_1"]


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=40), st.integers(1, 50))
def test_replayed_rows_hold_the_shortest_and_the_longest_in_their_order(texts: list[str], count: int) -> None:
    rows = [row(number, text) for number, text in enumerate(texts)]
    chosen = chosen_rows(rows, count)
    places = [rows.index(one) for one in chosen]
    assert places == sorted(set(places))
    assert len(chosen) == min(count, len(rows))
    lengths = [len(one.input) for one in rows]
    if count >= 2:
        assert {min(lengths), max(lengths)} <= {len(one.input) for one in chosen}


@pytest.mark.parametrize(
    ("form", "gap", "cause"),
    [
        (F16, 0.0005, "tie"),
        (F16, 0.03, "rounding"),
        (F16, 0.3, "unexplained"),
        (Q8, 0.3, "quantised"),
        (Q8, 0.0005, "tie"),
    ],
)
def test_a_difference_is_explained_by_how_near_the_two_tokens_were(form: Any, gap: float, cause: str) -> None:
    asked = []

    def known(prompt: Any, tokens: Any, rival: Any) -> tuple[list[float], float]:
        asked.append((list(tokens), rival))
        return [-0.1] * len(tokens), gap

    found = compare_texts(form, ["a", "b"], [answer(1, 2, 3), answer(4)], [answer(1, 9, 3), answer(4)], END, known)
    assert (found.answers, found.prompts) == (1, 2)
    [one] = found.differences
    assert (one.id, one.place, one.cause) == ("a", 1, cause)
    assert asked[0] == ([1, 2], 9)


def test_an_answer_that_ends_earlier_differs_at_the_end_token() -> None:
    asked = []

    def known(prompt: Any, tokens: Any, rival: Any) -> tuple[list[float], float]:
        asked.append((list(tokens), rival))
        return [-0.1] * len(tokens), 0.4

    compare_texts(F16, ["a"], [answer(1, 2)], [answer(1)], END, known)
    compare_texts(F16, ["a"], [answer(1)], [answer(1, 2)], END, known)
    assert asked == [([1, 2], END), ([1, END], 2)]


def test_a_difference_behind_another_prompt_is_never_explained() -> None:
    found = compare_texts(
        F16, ["a"], [answer(1)], [answer(2, prompt=(7, 9))], END, lambda prompt, tokens, rival: ([-0.1], 0.0)
    )
    assert found.other_prompts == ("a",)
    assert found.differences[0].cause == "unexplained"


def test_labels_are_compared_by_their_probabilities() -> None:
    ours = Replayed((1,), (), "a", True, 0.1, scores={"a": 0.52, "b": 0.48})
    theirs = Replayed((1,), (), "b", True, 0.1, scores={"a": 0.49, "b": 0.51})
    found = compare_labels(forms.form_of("classifier", "onnx", "int8"), ["x", "y"], [ours, ours], [theirs, ours])
    assert found.answers == 1
    assert found.differences[0].gap == pytest.approx(0.0800, abs=1e-4)
    assert max(found.shifts) == pytest.approx(0.03)


def comparison(rows: int, prompts: int, answers: int, *gaps: float) -> Comparison:
    from tunesmith.export.compare import RowDifference

    differences = tuple(
        RowDifference(str(number), 1, "ours", "theirs", gap, "tie" if gap < 1e-3 else "unexplained")
        for number, gap in enumerate(gaps)
    )
    return Comparison(rows, prompts, answers, (), differences, (0.001, 0.002))


def loss(metric: str, value: float, bound: bool = True) -> ScoreLoss:
    return ScoreLoss(metric, 0.9, 0.9 - value, value, value - 0.01, value + 0.01, 100, bound)


def test_each_bound_that_is_broken_is_a_fault_of_its_own() -> None:
    settings = ExportSettings()  # type: ignore[call-arg]
    assert faults_of(F16, comparison(100, 100, 99, 0.5), [loss("f", 0.005)], settings) == ()
    assert faults_of(F16, comparison(100, 100, 98, 0.5, 0.0001), [], settings) == ()
    faults = faults_of(F16, comparison(100, 99, 98, 0.5, 0.5), [loss("f", 0.006), loss("g", 0.9, False)], settings)
    assert len(faults) == 3
    assert "export.same_answers_at_least" in faults[1]
    assert "f falls from 0.900 to 0.894" in faults[2]
    assert faults_of(Q8, comparison(100, 100, 50, 0.5), [loss("f", 0)], settings) == ()


def test_the_page_tells_what_was_found_and_the_widest_gaps_first() -> None:
    told = Certificate(
        "gguf-f16", "engine 1", 100, 120, comparison(100, 100, 98, 0.0002, 0.4), (loss("f", 0.001),), 10**6, 50, 4.0,
        ("Not run.",), (),
    )  # fmt: skip
    words = page(told)
    assert "| greedy answers the same | 98 of 100 (98.0%) |" in words
    assert words.index("0.4000") < words.index("0.0002")
    assert "25.00 answers/s" in words
    assert words.endswith("- Not run.\n")
    assert told.as_json()["answers_equal"] == 98
    assert told.as_json()["shifts"]["largest"] == 0.002


@pytest.mark.parametrize(
    ("form", "advised"),
    [(F16, "--precision f32"), (forms.served_wide(F16), "--engine torch"), (Q8, "a more exact form")],
)
def test_a_refusal_advises_what_is_more_exact_than_the_form(form: forms.Form, advised: str) -> None:
    found = Certificate(form.name, "engine 1", 9, 9, comparison(9, 9, 5), (), 1, 1, 1.0, (), ("a fault",))
    refused = _refusal(found, form, Path("exports") / form.name)
    assert refused.code == "export_refused"
    assert advised in (refused.fix or "")
    assert "export.same_answers_at_least" in (refused.fix or "")


def asked(*references: str) -> list[Example]:
    return [row(number, f"question {number}").with_answer(text) for number, text in enumerate(references)]


def test_a_rule_in_python_is_asked_about_the_form_s_answers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    code = "def counts_on(answer, input):\n    return int(answer) == int(input.split()[1]) + 1\n"
    allow(code)
    rules = (Rule(python="checks.py:counts_on", code=code),)
    goal = GoalSheet("text", "text", "Do it.", success=(Criterion("rules_kept", 0.5),), rules=rules)
    [first, *_] = losses(
        goal, asked("1", "2", "3"), [answer(1), answer(2), answer(3)], [answer(1), answer(9), answer(3)], 0
    )
    assert (first.metric, first.bound, first.trained, first.exported) == ("rules_kept", True, 1.0, pytest.approx(2 / 3))


def test_only_the_metrics_of_the_goal_bind() -> None:
    goal = GoalSheet("text", "text", "Do it.", success=(Criterion("exact_match", 0.5),))
    found = losses(goal, asked("1", "2", "3"), [answer(1), answer(2), answer(3)], [answer(1), answer(2), answer(4)], 0)
    assert [one.metric for one in found if one.bound] == ["exact_match"]
    assert found[0].loss == pytest.approx(1 / 3)
    assert len(found) > 1


def test_the_smallest_is_chosen_among_those_that_are_let_out(tmp_path: Path) -> None:
    made: Any = object()
    tried = [
        Tried(F16, {"bytes": 30, "seconds": 1}, made),
        Tried(Q8, {"bytes": 20, "seconds": 1}, made),
        Tried(forms.form_of("causal_lm", "gguf", "q4_1"), {"bytes": 10, "seconds": 1}, None),
    ]
    best = smallest(tried)
    assert best is not None
    assert best.form is Q8
    assert smallest(tried[2:]) is None


def chatml(messages: Any, answer: bool) -> str:
    text = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
    return text + ("<|im_start|>assistant\n" if answer else "")


def test_the_modelfile_says_the_chat_template_in_ollama_s_words() -> None:
    turns = ollama.turns_of(chatml)
    words = ollama.modelfile(turns, "m.gguf", "Be kind.", 2048, 100)
    assert (
        'TEMPLATE """{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n'
        '{{ end }}{{ end }}<|im_start|>assistant\n"""\n'
    ) in words
    assert 'PARAMETER stop "<|im_end|>"' in words
    assert "PARAMETER repeat_penalty 1" in words


def test_a_template_that_rewrites_turns_is_not_put_in_a_modelfile() -> None:
    def merged(messages: Any, answer: bool) -> str:
        said = [one["content"] for one in messages if one["role"] != "system"]
        return f"[INST]{messages[0]['content']} {' '.join(said)}[/INST]"

    with pytest.raises(InputError, match="template_not_for_ollama"):
        ollama.turns_of(merged)


def as_ollama_reads_it(modelfile: str) -> list[tuple[str, str]]:
    """Commands and values by the rules of Ollama's parser: a value ends at the first line end at which it is whole;
    quotes know no escapes; what does not print is dropped."""
    found, name, value = [], "", None
    for character in modelfile:
        if value is None:
            if character == " " and name != "PARAMETER":
                value = ""
            elif character != "\n":
                name += character
        elif character == "\n" and (text := unquoted(value.strip())) is not None:
            found.append((name, text))
            name, value = "", None
        elif character.isprintable() or character in "\n\t":
            value += character
    assert (name, value) == ("", None)
    return found


def unquoted(value: str) -> str | None:
    for mark in ('"""', '"'):
        if value.startswith(mark):
            return value[len(mark) : -len(mark)] if value.endswith(mark) and len(value) >= 2 * len(mark) else None
    return value


@given(st.text(st.sampled_from(list('"\\ \n\tab{é<|>\u200d\x07')), max_size=30))
def test_ollama_reads_the_very_system_prompt_or_is_not_given_one(system: str) -> None:
    turns = ollama.turns_of(chatml)
    if '"""' in system or not system.replace("\n", "").replace("\t", "").isprintable():
        with pytest.raises(InputError, match="template_not_for_ollama"):
            ollama.modelfile(turns, "m.gguf", system, 2048, 100)
        return
    read = as_ollama_reads_it(ollama.modelfile(turns, "m.gguf", system, 2048, 100))
    assert dict(read)["SYSTEM"] == system
    assert dict(read)["TEMPLATE"] == turns.as_go()
    assert [name for name, _ in read][:2] == ["FROM", "TEMPLATE"]


def test_an_export_that_was_killed_between_two_renames_is_put_back(tmp_path: Path) -> None:
    from tunesmith.export import run

    out = tmp_path / "exports" / "gguf-f16"
    dead = out.with_name(".gguf-f16.before.999999999.tmp")
    half = out.with_name(".gguf-f16.999999999.tmp")
    for folder in (dead, half):
        folder.mkdir(parents=True)
        (folder / "m.gguf").write_text(folder.name)
    with pytest.raises(InterruptedError), run._beside(out):
        raise InterruptedError
    assert [path.name for path in out.parent.iterdir()] == ["gguf-f16"]
    assert (out / "m.gguf").read_text() == dead.name
