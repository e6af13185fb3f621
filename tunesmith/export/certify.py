"""Replay the reference's rows through an exported form, and say what came out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tunesmith.export import certificate as certificates
from tunesmith.export import rounding
from tunesmith.export.certificate import Certificate
from tunesmith.export.compare import Comparison, compare_labels, compare_texts
from tunesmith.export.files import model_bytes
from tunesmith.export.forms import Form
from tunesmith.export.reference import Reference, Tell, silent
from tunesmith.export.replay import Asked, opened
from tunesmith.export.settings import ExportSettings
from tunesmith.export.upstream import Remote, as_tokens, probes_by_text
from tunesmith.learners.protocol import Replayed


def certify(
    inputs: Mapping[str, Any],
    settings: ExportSettings,
    form: Form,
    folder: Path,
    given: Reference,
    learner: Any,
    *,
    notes: Sequence[str] = (),
    seed: int = 0,
    tell: Tell = silent,
) -> Certificate:
    """Replay the reference's rows through the form in ``folder`` and say what came out."""
    goal, tuned = inputs["goal"], inputs["train"]
    prompts = [row.prompt for row in given.rows]
    tell(f"asking {form.name}", 0, len(prompts))  # to load it takes a while
    with _asking(form, folder, given, inputs, learner) as asked:
        began = time.perf_counter()
        answers = asked.replay(prompts, given.limit, partial(tell, f"asking {form.name}"))
        seconds = time.perf_counter() - began
        engine = asked.engine
    by_text = form.upstream is not None and form.upstream.kind == "openai"
    compared = answers
    if by_text:
        compared = as_tokens(given.answers, answers, partial(learner.replay.tokens_of_answer, inputs["base"]))
    tell("comparing the answers", 0, 0)
    comparison = _compare(form, inputs, given, compared, learner)
    comparison = rounding.measured(comparison, partial(_compare_wide, form, inputs, given, folder, learner, tell))
    scores = certificates.losses(goal, given.rows, given.answers, answers, seed)
    more = asked.notes if isinstance(asked, Remote) else ()
    told = [*notes, *more, *filter(None, [rounding.note(comparison)])]
    return Certificate(
        form=form.name,
        engine=engine,
        rows=len(answers),
        of_rows=given.of_rows,
        comparison=comparison,
        scores=scores,
        bytes=model_bytes(folder),
        answer_tokens=sum(len(answer.tokens) for answer in compared) if tuned.learner != "classifier" else len(answers),
        seconds=seconds,
        notes=tuple(told),
        probes=_probes(inputs, given, answers, learner, by_text=by_text),
        faults=certificates.faults_of(form, comparison, scores, settings),
    )


def _asking(
    form: Form, folder: Path, given: Reference, inputs: Mapping[str, Any], learner: Any
) -> AbstractContextManager[Asked]:
    if form.upstream is None:
        return opened(form, folder, context=given.context)
    base = inputs["base"]
    text_of = partial(learner.replay.text_of_answer, base)
    return nullcontext(Remote(form.upstream, given, inputs["goal"], learner.replay.end_token(base), text_of))


def _probes(
    inputs: Mapping[str, Any], given: Reference, answers: Sequence[Replayed], learner: Any, *, by_text: bool
) -> tuple[tuple[str, str], ...]:
    if by_text:
        return probes_by_text(
            given, answers, partial(learner.replay.log_probabilities, inputs["base"], inputs["train"])
        )
    return certificates.probes_of([row.id for row in given.rows], given.answers, answers)


def _compare(
    form: Form, inputs: Mapping[str, Any], given: Reference, answers: Sequence[Replayed], learner: Any
) -> Comparison:
    ids = [row.id for row in given.rows]
    if form.learner == "classifier":
        return compare_labels(form, ids, given.answers, answers)
    replay = learner.replay
    base, tuned = inputs["base"], inputs["train"]
    return compare_texts(
        form, ids, given.answers, answers, replay.end_token(base), partial(replay.log_probabilities, base, tuned)
    )


def _compare_wide(
    form: Form,
    inputs: Mapping[str, Any],
    given: Reference,
    folder: Path,
    learner: Any,
    tell: Tell,
    ids: Sequence[str],
) -> Comparison:
    """Compare the rows of these ids, asked of the same file in float32 arithmetic."""
    pairs = [(row, answer) for row, answer in zip(given.rows, given.answers, strict=True) if row.id in ids]
    rows, expected = zip(*pairs, strict=True)
    some = replace(given, rows=rows, answers=expected)
    with opened(form, folder, context=given.context, wide=True) as asked:
        prompts = [row.prompt for row in rows]
        answers = asked.replay(prompts, given.limit, partial(tell, f"asking {form.name} in float32"))
    return _compare(form, inputs, some, answers, learner)
