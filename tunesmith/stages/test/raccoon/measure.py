"""Ask the tuned model the suite, judge what it answers, and sum it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from tunesmith.answering.answerer import Answerer, of_model
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.events import Pace as Progress
from tunesmith.example import Example, Message
from tunesmith.language import can_tell, language_of
from tunesmith.learners.protocol import Prediction, Refusal
from tunesmith.products import BaseModel, CleanSet, GoalSheet, Splits
from tunesmith.scoring.measure import ROW_METRIC
from tunesmith.stages.context import Context
from tunesmith.stages.test.raccoon.cost import VERY_LONG, Pace, Plan, affordable, asked_for, longest
from tunesmith.stages.test.raccoon.family import Case, Material, Row, said
from tunesmith.stages.test.raccoon.in_words import in_words
from tunesmith.stages.test.raccoon.judge import LOOKED_AT, Judge, Judged, judge_all
from tunesmith.stages.test.raccoon.record import FILE, write_raccoon
from tunesmith.stages.test.raccoon.suite import FAMILIES, make_suite, rows_of
from tunesmith.stages.test.raccoon.table import Line, table
from tunesmith.stages.test.raccoon.unknown import marked, unknown_questions
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.settings import RaccoonSettings, TestSettings

#: Tokens that a very long prompt leaves for the answer.
ROOM = 16
#: Rows that are looked at for their languages and lengths.
SAMPLE = 500
#: A language counts as one of the rows' when so many of the sample are in it.
FEWEST_IN_A_LANGUAGE = 0.02
#: Of a suite that is asked for by number of rows, what the very long may take.
SECONDS_FOR_LONG = 60.0


@dataclass(frozen=True)
class Suite:
    """What the suite found: the table, every answer as judged, and ``facts`` for test.json and the report."""

    lines: Sequence[Line]
    judged: Sequence[Judged]
    facts: Mapping[str, Any]


def measure_suite(
    inputs: Mapping[str, Any],
    rows: Sequence[Example],
    scored: Scored,
    learner: Any,
    settings: TestSettings,
    context: Context,
    *,
    max_new_tokens: int,
    resamples: int,
    seed: int,
) -> tuple[Suite | None, dict[str, Any] | None]:
    """Ask and judge the suite as far as the settings say; write raccoon.parquet. And the figures on unknown questions.

    ``scored``: the tuned model's answers to the rows as they stand, in the order of ``rows``.
    """
    goal: GoalSheet = inputs["goal"]
    own = marked(rows, settings.unknown_mark)
    judge = Judge(goal, _training_answers(inputs["clean"], inputs["split"]), settings.unknown_mark)
    usable = rows_of(rows, own)
    suite = None
    if settings.raccoon != "off" and usable:
        answerer = of_model(
            learner, "tuned", inputs["base"], goal, inputs["train"], max_new_tokens=max_new_tokens, name="tuned"
        )
        material = material_of(usable, goal, inputs["base"], learner)
        plan = plan_of(settings.raccoon, material, inputs["base"], scored.answers)
        suite = ask_suite(
            material, plan, goal, judge, answerer, scored, context, resamples=resamples, seed=seed
        )  # fmt: skip
        write_raccoon(context.folder / FILE, suite.judged)
    judged = suite.judged if suite else ()
    return suite, unknown_questions(goal, scored, own, judge, judged, resamples=resamples, seed=seed)


def _training_answers(clean: CleanSet, split: Splits) -> list[str]:
    ids = frozenset(split.ids("train"))
    return [example.answer or "" for example in islice(clean.examples(ids), LOOKED_AT) if not example.is_document]


def material_of(rows: Sequence[Row], goal: GoalSheet, base: BaseModel, learner: Any) -> Material:
    """What the families draw on: the rows, the labels, the languages, and how long a prompt is to the learner."""
    encoder = learner.encode.encoder(base, goal, base.context - ROOM)

    def tokens(row: Row, text: str) -> int | None:
        messages = (*said(row.example.prompt, text), Message.of("assistant", row.answer))
        encoded = encoder.encode(replace(row.example, messages=messages, rejected=None))
        return None if isinstance(encoded, Refusal) else int(encoded.prompt_tokens)

    labels = goal.labels if goal.output == "label" else ()
    return Material(rows, labels, _languages(rows, base), tokens)


def _languages(rows: Sequence[Row], base: BaseModel) -> frozenset[str]:
    """The languages that the rows are in; where that cannot be told, those that the base knows."""
    if not can_tell():
        return frozenset(base.languages)
    found = [known.code for row in rows[:SAMPLE] if (known := language_of(row.text))]
    return frozenset(code for code in set(found) if found.count(code) >= FEWEST_IN_A_LANGUAGE * len(found))


def plan_of(settings: RaccoonSettings, material: Material, base: BaseModel, answers: Sequence[Prediction]) -> Plan:
    """How many rows of each family: as the user says, or as many as the measured seconds an answer allow."""
    names = settings.families or [family.name for family in FAMILIES]
    seconds = float(np.mean([answer.seconds for answer in answers]))
    pace = Pace(seconds, longest(replace(material, rows=material.rows[:SAMPLE])), base.context)
    if settings.rows_per_family == "auto":
        return affordable(names, settings.seconds, pace)
    return asked_for(names, settings.rows_per_family, pace, SECONDS_FOR_LONG)


def ask_suite(
    material: Material,
    plan: Plan,
    goal: GoalSheet,
    judge: Judge,
    answerer: Answerer,
    scored: Scored,
    context: Context,
    *,
    resamples: int,
    seed: int,
) -> Suite:
    """Make the cases, ask and judge them, and sum them up."""
    cases = make_suite(replace(material, most=plan.most), plan.counts, seed)
    answers = _answers(goal, answerer, cases, context)
    plain = [scored.answers[row.index] for row in material.rows]
    texts = {row.index: answer.text for row, answer in zip(material.rows, plain, strict=True)}
    judged = judge_all(judge, goal, cases, answers, texts, scored.by_row)
    lines = table(
        judged,
        plain_form=np.array([float(not judge.form(texts[row.index], row.example.input)) for row in material.rows]),
        plain_handed_off=np.array([float(judge.handed_off(answer)) for answer in plain]),
        hands_off=goal.unknown == "hand_off",
        resamples=resamples,
        seed=seed,
    )
    facts = {
        "answers": len(judged),
        "words": in_words(lines, ROW_METRIC[goal.output], plan.left_out),
        "families": [
            {
                "family": line.family.name,
                "nature": line.family.nature,
                "n": line.n,
                "failing": len(line.failing),
                "checks": [asdict(check) for check in line.checks],
            }
            for line in lines
        ],
    }
    return Suite(lines, judged, facts)


def _answers(goal: GoalSheet, answerer: Answerer, cases: Sequence[Case], context: Context) -> list[Prediction]:
    """The very long are asked by themselves: a prompt to the context's end leaves less room for all beside it."""
    cache = AnswerCache(context.facts.get("answers"))
    long = [number for number, case in enumerate(cases) if case.family.name == VERY_LONG]
    rest = [number for number, case in enumerate(cases) if case.family.name != VERY_LONG]
    answers: dict[int, Prediction] = {}
    for part in (rest, *([number] for number in long)):
        if part:
            tell = _progress(context, len(answers), len(cases))
            given = cache.answer(answerer, [cases[number].prompt for number in part], tell)
            answers.update(zip(part, sure_of_choices(goal, given), strict=True))
    return [answers[number] for number in range(len(cases))]


def _progress(context: Context, before: int, total: int) -> Callable[[int, int], None]:
    pace = Progress(total)

    def tell(done: int, rows: int) -> None:
        context.check()
        if pace.due():
            context.progress(before + done, total, "answers of the raccoon suite")

    return tell
