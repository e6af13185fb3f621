"""Try a project's models on one input: the tuned one beside the base, where the base knows anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunesmith.answering.answerer import Prompt
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.confidence import sure_of_choices
from tunesmith.answering.equipment import answer
from tunesmith.answering.setups import Setup, in_words
from tunesmith.base_folder import verify
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.products import EncodedRow
from tunesmith.setup_in_use import chosen, equip
from tunesmith.threads import be_patient

if TYPE_CHECKING:
    from tunesmith.project import Project

LONGEST_ANSWER = 512


@dataclass(frozen=True)
class Answer:
    """What a candidate ("base", "tuned", or the arm of the set-up in use) says.

    ``handed_off``: it is for a person to answer. ``in_use``: where this is the set-up in use, what it is in words.
    """

    candidate: str
    text: str
    confidence: float
    seconds: float
    handed_off: bool
    in_use: str = ""


def ask(project: Project, text: str) -> list[Answer]:
    """Answer one input with each model, and with the set-up in use where that is neither as it is; a model of texts
    without questions goes on from it.

    Raises InputError when nothing was trained or advised, nothing is asked, or the base is gone.
    """
    if not text.strip():
        raise InputError("empty_input", "there is nothing to answer", fix='tunesmith ask "your text"')
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("not_utf8", "the text holds bytes that are no characters", fix="give it as UTF-8")
    be_patient()
    in_use = chosen(project)
    trained = in_use is None or project.store.latest("train") is not None
    base, dataset = (project.product(stage) for stage in ("base", "format"))
    verify(base.folder)
    limit = min(LONGEST_ANSWER, 2 * max(map(_answer_tokens, dataset.rows())))
    only_texts = dataset.facts.get("documents", 0) == dataset.counts["rows"]
    prompt = (Message.of("assistant" if only_texts else "user", text),)
    setups = [Setup("base")] if not base.from_scratch else []
    setups += [Setup("tuned", "tuned")] if trained else []
    if in_use is not None and not in_use.is_plain:
        setups.append(in_use)
    return [_answer(project, setup, prompt, limit, in_use) for setup in setups]


def _answer(project: Project, setup: Setup, prompt: Prompt, limit: int, in_use: Setup | None) -> Answer:
    """One set-up's answer."""
    equipment = equip(project, setup, limit)
    [found] = answer(setup, [prompt], equipment, AnswerCache(None))
    goal = equipment.goal
    [found] = sure_of_choices(goal, [found])
    handed_off = goal.unknown == "hand_off" and found.confidence < goal.confidence
    used = in_use is not None and (setup == in_use or (in_use.is_plain and setup == Setup(setup.name, in_use.model)))
    return Answer(setup.name, found.text, found.confidence, found.seconds, handed_off, in_words(setup) if used else "")


def _answer_tokens(row: EncodedRow) -> int:
    return max(16, len(row.tokens) - row.prompt_tokens)
