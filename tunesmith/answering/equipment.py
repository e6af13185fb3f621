"""Equipment: what set-ups answer with, and answering by one: the same way for measuring and for use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tunesmith.answering.answerer import Answerer, Prompt, of_model
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.setups import SHARE, Setup, apply, changed, question_of
from tunesmith.artifact import hash_of
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction, Progress
from tunesmith.products import BaseModel, GoalSheet, TunedModel
from tunesmith.retrieval.chunks import Chunk
from tunesmith.retrieval.index import Index, Knowledge
from tunesmith.similarity.embeddings import Vectors, embed

#: Cosines lie close together; weights of votes need a scale to differ.
VOTE_SCALE = 20.0


@dataclass(frozen=True)
class Shelf:
    """Training examples, to be found by their input. ``index`` has their inputs in the same order."""

    examples: tuple[Example, ...]
    index: Index

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        encoder: Path | None,
        vectors: Vectors | None = None,
        on_progress: Progress = lambda done, total: None,
    ) -> Shelf:
        """Examples with an answer, by their inputs; ``vectors`` are theirs where they are known."""
        texts = [question_of(example.prompt) for example in examples]
        return cls(tuple(examples), Index.of(texts, encoder, vectors, on_progress))


@dataclass(frozen=True)
class Equipment:
    """The models, and where examples and chunks come from. ``tuned``, ``shelf`` and ``knowledge``: None where there
    is none."""

    learner: Any
    base: BaseModel
    goal: GoalSheet
    tuned: TunedModel | None
    max_new_tokens: int
    shelf: Shelf | None = None
    knowledge: Knowledge | None = None


@dataclass(frozen=True)
class Put:
    """Questions as the model is given them."""

    goal: GoalSheet
    prompts: list[Prompt]


def put(setup: Setup, prompts: Sequence[Prompt], equipment: Equipment, *, of_shelf: bool = False) -> Put:
    """The prompts as this set-up puts them to its model, with the examples and chunks that fit each.

    ``of_shelf``: the prompts are training examples themselves, so one of the same text is not shown.
    """
    questions = [question_of(prompt) for prompt in prompts]
    examples: Sequence[Sequence[Example]] = [()] * len(prompts)
    chunks: Sequence[Sequence[Chunk]] = [()] * len(prompts)
    shelf, knowledge = equipment.shelf, equipment.knowledge
    if setup.examples and shelf is not None:
        examples = _similar(shelf, questions, setup.examples, of_shelf)
    if setup.chunks and knowledge is not None:
        chunks = knowledge.search(questions, setup.chunks)
    room = int(SHARE * equipment.base.context)
    given = []
    for prompt, shown, notes in zip(prompts, examples, chunks, strict=True):
        kept_examples = shown[: _fitting([_words_of(example) for example in shown], room)]
        kept_chunks = notes[: _fitting([len(chunk.shown.split()) for chunk in notes], room)]
        given.append(apply(setup, equipment.goal, prompt, examples=kept_examples, chunks=kept_chunks)[1])
    return Put(changed(setup, equipment.goal), given)


def _similar(shelf: Shelf, questions: Sequence[str], count: int, of_shelf: bool) -> list[list[Example]]:
    hits = shelf.index.search(questions, count + of_shelf)
    found = [
        [hit.index for hit in some if not of_shelf or shelf.index.texts[hit.index] != question][:count]
        for question, some in zip(questions, hits, strict=True)
    ]
    return [[shelf.examples[at] for at in places] for places in found]


def _words_of(example: Example) -> int:
    return sum(len(turn.text.split()) for turn in example.turns)


def _fitting(sizes: Sequence[int], room: int) -> int:
    """How many of the first fit together."""
    return int(np.searchsorted(np.cumsum(sizes), room, side="right"))


def answerer(setup: Setup, equipment: Equipment) -> Answerer:
    """Who answers the prompts that `put` gives for this set-up."""
    if setup.votes:
        return _of_votes(setup, equipment)
    return of_model(
        equipment.learner,
        setup.model,
        equipment.base,
        changed(setup, equipment.goal),
        equipment.tuned if setup.model == "tuned" else None,
        max_new_tokens=equipment.max_new_tokens,
        enforce_schema=setup.enforce_schema,
        name=setup.name,
    )


def answer(
    setup: Setup,
    prompts: Sequence[Prompt],
    equipment: Equipment,
    cache: AnswerCache,
    on_progress: Progress = lambda done, total: None,
) -> list[Prediction]:
    """Answer each prompt by the set-up, in their order."""
    given = cache.answer(answerer(setup, equipment), put(setup, prompts, equipment).prompts, on_progress)
    return restored(setup, equipment.goal, given)


def restored(setup: Setup, goal: GoalSheet, answers: Sequence[Prediction]) -> list[Prediction]:
    """The answers with the goal's labels in place of what stood for them."""
    if not setup.label_texts:
        return list(answers)
    labels = dict(zip(setup.label_texts, goal.labels, strict=True))
    return [replace(one, text=labels[one.text]) for one in answers]


def _of_votes(setup: Setup, equipment: Equipment) -> Answerer:
    """The label that the nearest training examples vote for, each by its nearness."""
    shelf = equipment.shelf
    vectors = shelf.index.meanings if shelf is not None else None
    encoder = shelf.index.encoder if shelf is not None else None
    if shelf is None or vectors is None or encoder is None:
        raise ValueError("votes need training examples with vectors")
    answers = [example.answer or "" for example in shelf.examples]

    def ask(prompts: Sequence[Prompt], on_progress: Progress) -> list[Prediction]:
        import time

        began = time.perf_counter()
        asked = embed([question_of(prompt) for prompt in prompts], encoder, on_progress, hold=True).astype(np.float32)
        found = [_voted(vectors @ one, answers, setup.votes) for one in asked]
        seconds = (time.perf_counter() - began) / max(1, len(prompts))
        return [Prediction(label, share, 1, seconds) for label, share in found]

    known = hash_of([[example.id, answer] for example, answer in zip(shelf.examples, answers, strict=True)])
    return Answerer(setup.name, hash_of(["votes", setup.votes, equipment.base.sha256, known]), ask)


def _voted(cosines: np.ndarray, answers: Sequence[str], count: int) -> tuple[str, float]:
    """The label with most votes among the nearest, and its share of them."""
    nearest = np.argsort(-cosines, kind="stable")[:count]
    weights = np.exp(VOTE_SCALE * (cosines[nearest] - cosines[nearest[0]]))
    votes: dict[str, float] = {}
    for at, weight in zip(nearest, weights, strict=True):
        votes[answers[at]] = votes.get(answers[at], 0.0) + float(weight)
    label = max(votes, key=lambda name: votes[name])
    return label, votes[label] / sum(votes.values())
