"""One forecast beside its truth: ``python -m benchmarks.forecast_one JOB`` prints one JSON object (see forecast.py)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.banking77 import write
from benchmarks.forecast import SETTINGS, SHARE, WHOLE, drawn
from tunesmith import Project
from tunesmith.events import Event
from tunesmith.example import Example
from tunesmith.example_parquet import read_rows
from tunesmith.products import Splits
from tunesmith.scoring.learning_curve import Point
from tunesmith.trials.more_data import part, plan
from tunesmith.trials.rows import Prepared
from tunesmith.trials.run import prepared
from tunesmith.trials.trial import Trial, carry_out

Texts = Sequence[tuple[str, str]]


def main() -> None:
    job = json.loads(sys.argv[1])
    place, seed, share = Path(job["place"]), job["seed"], job["share"]
    whole = project(place / f"whole-{seed}", Path(job["rows"]), seed, WHOLE)
    whole.run(to="split", overrides=job["settings"], on_event=say)
    everything, truth_rows = parts_of(whole)
    rows = write(place / f"rows-{seed}-{share}.csv", drawn(everything, share, seed))
    some = project(place / f"share-{seed}-{share}", rows, seed, SHARE)
    print(json.dumps(one(job, whole, some, everything, truth_rows)))


def say(event: Event) -> None:
    if event.kind in ("note", "warning"):
        print(f"  {event.data.get('text', '')}", file=sys.stderr, flush=True)


def project(folder: Path, rows: Path, seed: int, parts: str) -> Project:
    """A project of one file; one that is there already goes on."""
    folder.mkdir(exist_ok=True)
    if not (folder / "tunesmith.yaml").exists():
        settings = SETTINGS.format(seed=seed, rows=json.dumps(str(rows)), split=parts)
        temporary = folder / ".tunesmith.yaml"
        temporary.write_text(settings, encoding="utf-8")
        temporary.replace(folder / "tunesmith.yaml")
    return Project.open(folder)


def parts_of(whole: Project) -> tuple[Texts, list[Example]]:
    """The rows before the truth's as (text, label), and the truth's."""
    split: Splits = whole.product("split")
    before, truth = ({*split.ids("train"), *split.ids("validation")}, set(split.ids("test")))
    found: dict[bool, list[Example]] = {True: [], False: []}
    for example in whole.product("clean").examples(before | truth):
        found[example.id in truth].append(example)
    return [(example.input, example.answer or "") for example in found[False]], found[True]


def one(job: Any, whole: Project, some: Project, everything: Texts, truth_rows: list[Example]) -> dict[str, Any]:
    """What a share's trainings score, and what one on all rows does."""
    with prepared(some, job["settings"], say) as material:
        points = points_of(job, some, material)
    n = len(material.material.train)
    truth = truth_of(job, whole, everything, truth_rows)
    return {
        **{key: job[key] for key in ("share", "seed")},
        "rows": n,
        "all_rows": len(everything),
        "measured": len(points[0].scores),
        "truth": float(truth.mean()),
        "truth_n": len(truth),
        "points": [[point.rows, "".join("01"[int(right)] for right in point.scores)] for point in points],
    }


def points_of(job: Any, some: Project, material: Prepared) -> list[Point]:
    """The curve's points, as `tunesmith advise --more-data` measures them."""
    rows = len(material.material.train)
    found = []
    vectors = embeddings(some) if job["quick"] else {}
    for size, draw in plan(rows, len(material.material.goal.labels)):
        trial = part(material, size, draw)
        scores = linear_head(vectors, trial) if job["quick"] else carry_out(material, trial).scores
        found.append(Point(len(trial.rows), scores))
        print(f"  {size} rows, draw {draw}: {scores.mean():.1%}", file=sys.stderr, flush=True)
    return found


def truth_of(job: Any, whole: Project, everything: Texts, truth_rows: list[Example]) -> Any:
    """What a training on all rows scores on the truth's rows, 0 or 1 each."""
    with prepared(whole, job["settings"], say) as material:
        ids = {example.id for example in material.train}
        held = [one for one in material.material.measured if one.id not in ids]
        own = material.material
        encoder = own.learner.encode.encoder(own.base, own.goal, material.max_tokens)
        rows = (*own.train, *(encoder.encode(example) for example in held))
        trial = Trial(replace(own, measured=tuple(truth_rows)), rows, material.settings, material.seed)
        assert len(rows) == len(everything)
        if not job["quick"]:
            return carry_out(material, trial).scores
        kept = Path(job["place"]) / f"truth-{job['seed']}.npy"
        if not kept.exists():
            temporary = kept.with_suffix(".new.npy")
            np.save(temporary, linear_head(embeddings(whole), trial))
            temporary.replace(kept)
        return np.load(kept)


def linear_head(vectors: Mapping[str, Any], trial: Trial) -> Any:
    """Logistic regression on the embeddings that `clean` made in place of the tuning; 0 or 1 ``[measured]``."""
    from sklearn.linear_model import LogisticRegression

    labels = trial.material.goal.labels
    inputs = np.stack([vectors[row.id] for row in trial.rows])
    measured = np.stack([vectors[example.id] for example in trial.material.measured])
    answers = [labels.index(example.answer or "") for example in trial.material.measured]
    head = LogisticRegression(C=10.0, max_iter=100).fit(inputs, [row.label for row in trial.rows])
    return (head.predict(measured) == np.array(answers)).astype(np.float64)


def embeddings(opened: Project) -> dict[str, Any]:
    """The unit vector of each row's input, by its id."""
    packed = read_rows(opened.product("clean").path / "embeddings.parquet", ["id", "vector"])
    return {row["id"]: np.frombuffer(row["vector"], np.float16).astype(np.float32) for row in packed}


if __name__ == "__main__":
    main()
