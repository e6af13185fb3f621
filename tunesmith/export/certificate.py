"""The parity certificate: what was replayed, what came out, and whether the exported form is let out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import hash_of, write_json, write_text
from tunesmith.example import Example
from tunesmith.export.compare import Comparison, spread
from tunesmith.export.forms import Form
from tunesmith.export.settings import ExportSettings
from tunesmith.learners.protocol import Replayed
from tunesmith.products import GoalSheet
from tunesmith.scoring.measure import NOT_COMPARED, ROW_METRIC, measure
from tunesmith.scoring.paired import difference

FILE, PAGE = "certificate.json", "certificate.md"
SHOWN = 10
#: Rows that a server asks again before it lets a version to work.
PROBES = 5
RESAMPLES = 2000


@dataclass(frozen=True)
class ScoreLoss:
    """A metric of the trained model and of the exported form on the same ``n`` rows; ``loss`` is the first less the
    second, with its 95% interval. ``bound``: whether the form is held to it."""

    metric: str
    trained: float
    exported: float
    loss: float
    low: float
    high: float
    n: int
    bound: bool


@dataclass(frozen=True)
class Certificate:
    """What an exported form was seen to do. ``faults`` says, in words, why it is refused; none for one that is let out.

    ``probes``: rows, by id, that a server asks before it lets the form to work, with a hash of their answers.
    ``bytes``: of the model's files. ``seconds``: for all answers, trained and exported, as they were measured here.
    """

    form: str
    engine: str
    rows: int
    of_rows: int
    comparison: Comparison
    scores: tuple[ScoreLoss, ...]
    bytes: int
    answer_tokens: int
    seconds: float
    notes: tuple[str, ...]
    faults: tuple[str, ...]
    probes: tuple[tuple[str, str], ...] = ()

    @property
    def refused(self) -> bool:
        return bool(self.faults)

    @property
    def same(self) -> float:
        """The share of rows with the trained model's answer."""
        return self.comparison.answers / self.rows

    @property
    def same_or_explained(self) -> float:
        return (self.comparison.answers + self.comparison.explained) / self.rows

    @property
    def answers_a_second(self) -> float:
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        comparison = told.pop("comparison")
        comparison["shifts"] = spread(self.comparison.shifts)
        return {
            **told,
            **{f"{name}_equal": comparison[name] for name in ("prompts", "answers")},
            "explained": self.comparison.explained,
            "other_prompts": comparison["other_prompts"],
            # without their texts: a certificate outlives the rows that it was made with
            "differences": [
                {"id": one.id, "place": one.place, "gap": one.gap, "cause": one.cause}
                for one in self.comparison.differences
            ],
            "shifts": comparison["shifts"],
        }


def probes_of(
    ids: Sequence[str],
    trained: Sequence[Replayed],
    exported: Sequence[Replayed],
    sure: Sequence[float] | None = None,
) -> tuple[tuple[str, str], ...]:
    """The surest rows of those that both answer alike: no other batch or cache of the engine changes them.

    ``sure``: how sure the model is of each answer, where the answers do not tell.
    """
    if sure is None:
        sure = [_surety(one) for one in exported]
    same = [
        (value, id, answer_hash(theirs))
        for id, ours, theirs, value in zip(ids, trained, exported, sure, strict=True)
        if (ours.tokens, ours.text) == (theirs.tokens, theirs.text) and ours.finished and theirs.finished
    ]
    return tuple((id, told) for _, id, told in sorted(same, reverse=True)[:PROBES])


def _surety(answer: Replayed) -> float:
    """The least log probability of its tokens; for a label its own probability."""
    told = [one for one in answer.logprobs if one is not None]
    return min(told, default=max(answer.scores.values(), default=0.0))


def answer_hash(answer: Replayed) -> str:
    """What an answer is known by: its tokens, or the label."""
    return hash_of(list(answer.tokens) or answer.text)


def losses(
    goal: GoalSheet,
    rows: Sequence[Example],
    trained: Sequence[Replayed],
    exported: Sequence[Replayed],
    seed: int,
) -> tuple[ScoreLoss, ...]:
    """Each metric of the goal (without criteria: the usual one) on both models' answers to ``rows``, first those that
    bind."""
    references, inputs = [row.answer or "" for row in rows], [row.input for row in rows]

    def measured(answers: Sequence[Replayed]) -> Any:
        return measure(
            goal.output,
            references,
            [answer.text for answer in answers],
            labels=goal.labels,
            schema=goal.schema,
            rules=goal.rules,
            inputs=inputs,
        )

    ours, theirs = measured(trained), measured(exported)
    binding = [one.metric for one in goal.success if one.metric in ours] or [ROW_METRIC[goal.output]]
    names = [*dict.fromkeys(binding), *(name for name in ours if name not in binding and name not in NOT_COMPARED)]
    found = []
    for name in names:
        pair = difference(name, ("trained", ours[name]), ("exported", theirs[name]), resamples=RESAMPLES, seed=seed)
        values = ours[name].estimate(), theirs[name].estimate()
        found.append(ScoreLoss(name, *values, pair.value, pair.low, pair.high, pair.n, name in binding))
    return tuple(found)


def faults_of(
    form: Form, comparison: Comparison, scores: Sequence[ScoreLoss], settings: ExportSettings
) -> tuple[str, ...]:
    """Why this form is not let out, each fault in words."""
    faults = []
    rows = comparison.rows
    if comparison.prompts is not None and comparison.prompts < rows:
        faults.append(f"the tokens of {rows - comparison.prompts} of {rows} prompts are not those it was trained on")
    same = (comparison.answers + comparison.explained) / rows
    if not form.quantised and same < settings.same_answers_at_least:
        faults.append(
            f"{same:.1%} of the answers are the trained model's or differ at a near tie; "
            f"export.same_answers_at_least is {settings.same_answers_at_least:.1%}"
        )
    faults += [
        f"{one.metric} falls from {one.trained:.3f} to {one.exported:.3f}; "
        f"export.score_loss_at_most is {settings.score_loss_at_most:g}"
        for one in scores
        if one.bound and one.loss > settings.score_loss_at_most + 1e-9
    ]
    return tuple(faults)


def write(certificate: Certificate, folder: Path, **more: Any) -> None:
    """Write the certificate as JSON and as a page to ``folder``."""
    write_json(folder / FILE, {**more, **certificate.as_json()})
    write_text(folder / PAGE, page(certificate))


def page(certificate: Certificate) -> str:
    """The certificate in words."""
    one, found = certificate, certificate.comparison
    moved = spread(found.shifts)
    lines = [
        f"# Parity certificate: {one.form}",
        "",
        "Refused: " + "; ".join(one.faults) + "."
        if one.refused
        else "This form answers as the trained model does, within the bounds of `export` in tunesmith.yaml.",
        "",
        f"{one.rows} of {one.of_rows} test rows were asked of the trained model (float32) and of this form, run by "
        f"{one.engine}.",
        "",
        "| what | found |",
        "|---|---|",
        f"| prompts with the same token ids | {_of(found.prompts, found.rows)} |",
        f"| greedy answers the same | {found.answers} of {found.rows} ({one.same:.1%}) |",
        f"| differ at a tie, or by rounding alone | {found.explained} |",
        f"| differ otherwise | {len(found.differences) - found.explained} |",
    ]
    if moved:
        lines.append(f"| moved by | median {moved['median']:.1g}, 99% {moved['percentile_99']:.1g}, most "
                     f"{moved['largest']:.1g} (n = {moved['n']:,}) |")  # fmt: skip
    if one.bytes:
        lines.append(f"| size | {one.bytes / 1e6:,.1f} MB |")
    lines += [
        f"| speed here | {one.answers_a_second:.2f} answers/s |",
        "",
        "| metric | trained | this form | loss | 95% interval | n |",
        "|---|---|---|---|---|---|",
        *(
            f"| {score.metric}{'' if score.bound else ' (not bound)'} | {score.trained:.3f} | {score.exported:.3f} | "
            f"{score.loss:+.3f} | {score.low:+.3f} to {score.high:+.3f} | {score.n} |"
            for score in one.scores
        ),
    ]
    lines += _differing(certificate)
    lines += ["", *(f"- {note}" for note in one.notes)] if one.notes else []
    return "\n".join(lines) + "\n"


def _of(count: int | None, rows: int) -> str:
    return "not known" if count is None else f"{count} of {rows}"


def _differing(certificate: Certificate) -> list[str]:
    rows = sorted(certificate.comparison.differences, key=lambda one: -one.gap)[:SHOWN]
    if not rows:
        return []
    heads = ["| row | at token | gap in logits | why |", "|---|---|---|---|"]
    lines = [f"| {one.id} | {one.place} | {one.gap:.4f} | {one.cause} |" for one in rows]
    return ["", "## Answers that differ", "", *heads, *lines]
