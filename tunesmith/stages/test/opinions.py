"""What stands beside the scores and is no part of the verdict: other candidates, people's ratings, a judge model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith import ratings
from tunesmith.example import Example
from tunesmith.scoring.preferences import people
from tunesmith.stages.context import Context
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.earlier_rounds import facts_of_rounds
from tunesmith.stages.test.endpoints import facts_of_endpoints
from tunesmith.stages.test.judge import judge
from tunesmith.stages.test.people import agreement_in_words, in_words, place_in_words, reviewer_rows
from tunesmith.stages.test.scored import Scored, differences
from tunesmith.stages.test.settings import ENDPOINT, TestSettings
from tunesmith.stages.test.wording import interval, number, p_cell, points, title


def opinions(
    settings: TestSettings, rows: Sequence[Example], scored: Mapping[str, Scored], rival: str, context: Context
) -> dict[str, Any]:
    """As facts of the test. People's ratings are those of exactly these answers."""
    draw = {"resamples": settings.resamples, "seed": context.seed}
    said = ratings.read(context.project / ratings.FILE)
    answers = {name: [answer.text for answer in scored[name].answers] for name in (TUNED, rival)}
    asked = [
        {"id": row.id, "input": row.input, **{name: texts[place] for name, texts in answers.items()}}
        for place, row in enumerate(rows)
        if not row.is_document
    ]
    texts = {row["id"]: {name: row[name] for name in (TUNED, rival)} for row in asked}
    found = people(said.of_answers(texts, (TUNED, rival)), TUNED, rival, **draw)
    return {
        "others": [_other(scored, name, facts, **draw) for name, facts in _others(settings, scored, context).items()],
        "people": None
        if found is None
        else {
            "words": [in_words(found.overall), *agreement_in_words(found), *filter(None, [place_in_words(found)])],
            "candidates": [TUNED, rival],
            "reviewers": [list(row) for row in reviewer_rows(found)],
        },
        "judge": judge(settings, asked, rival, said, context) if asked else None,
    }


def _others(settings: TestSettings, scored: Mapping[str, Scored], context: Context) -> dict[str, dict[str, str]]:
    """The candidates of earlier rounds and behind endpoints: what each is, and where it answered."""
    endpoints = {
        ENDPOINT + name: {"what": facts["model"], "where": f"at {facts['url']}"}
        for name, facts in facts_of_endpoints(settings).items()
    }
    found = {**facts_of_rounds(settings, context), **endpoints}
    return {name: facts for name, facts in found.items() if name in scored}


def _other(scored: Mapping[str, Scored], name: str, facts: Mapping[str, str], **draw: int) -> dict[str, Any]:
    """One further candidate beside the tuned model, metric by metric."""
    compared = {one.metric: one for one in differences(scored, name, **draw)}
    table = []
    for score in scored[TUNED].scores:
        theirs, one = scored[name].score(score.metric), compared.get(score.metric)
        difference = f"{points(one.value)} ({points(one.low)} to {points(one.high)})" if one else "–"
        cells = [f"{number(each.metric, each.value)} ({interval(each)})" for each in (theirs, score)]
        table.append([title(score.metric), *cells, difference, p_cell(one.p) if one else "–"])
    return {"candidate": name, **facts, "metrics": table}
