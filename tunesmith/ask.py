"""Try a project's models on one input: the tuned one beside the base, where the base knows anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith.answering.confidence import sure_of_choices
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.plugins import learner
from tunesmith.products import EncodedRow
from tunesmith.threads import be_patient

if TYPE_CHECKING:
    from tunesmith.project import Answer, Project

LONGEST_ANSWER = 512


def ask(project: Project, text: str) -> list[Answer]:
    """Answer one input with each candidate; a model of texts without questions goes on from it.

    Raises InputError when nothing was trained or asked.
    """
    from tunesmith.project import Answer

    if not text.strip():
        raise InputError("empty_input", "there is nothing to answer", fix='tunesmith ask "your text"')
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("not_utf8", "the text holds bytes that are no characters", fix="give it as UTF-8")
    be_patient()
    goal, base, tuned = (project.product(stage) for stage in ("goal", "base", "train"))
    dataset = project.product("format")
    limit = min(LONGEST_ANSWER, 2 * max(map(_answer_tokens, dataset.rows())))
    only_texts = dataset.facts.get("documents", 0) == dataset.counts["rows"]
    prompt = (Message.of("assistant" if only_texts else "user", text),)
    answers = []
    for candidate in ("tuned",) if base.from_scratch else ("base", "tuned"):
        [found] = learner(tuned.learner).predict.predict(candidate, base, goal, tuned, [prompt], max_new_tokens=limit)
        [found] = sure_of_choices(goal, [found])
        handed_off = goal.unknown == "hand_off" and found.confidence < goal.confidence
        answers.append(Answer(candidate, found.text, found.confidence, found.seconds, handed_off))
    return answers


def _answer_tokens(row: EncodedRow) -> int:
    return max(16, len(row.tokens) - row.prompt_tokens)
