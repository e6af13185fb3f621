"""Set-ups: ways to put a question to a model. What `advise` measures, and what `ask` and `serve` use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tunesmith.answering.answerer import Prompt
from tunesmith.example import Example, Message
from tunesmith.products import GoalSheet
from tunesmith.retrieval.chunks import Chunk

#: How chunks of documents stand before the question.
NOTES = "{notes}\n\n{question}"
#: What examples and chunks may take of the words that the context holds.
SHARE = 0.25


@dataclass(frozen=True)
class Setup:
    """``name``: the arm's word. ``system``: in place of the goal's system prompt; None: the goal's own.

    ``closing``: what stands after the question. ``examples``: so many similar training examples are earlier turns of
    the conversation. ``chunks``: so many pieces of the documents stand before the question. ``votes``: of a
    classifier, the labels of so many nearest training examples vote. ``label_texts``: of a classifier without training,
    what stands for each label, in the goal's order.
    """

    name: str
    model: Literal["base", "tuned"] = "base"
    system: str | None = None
    closing: str = ""
    examples: int = 0
    chunks: int = 0
    votes: int = 0
    label_texts: tuple[str, ...] = ()
    enforce_schema: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the model is asked with nothing but the goal's own prompt."""
        return self == Setup(self.name, self.model)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Setup:
        """The inverse of `as_json`. Raises TypeError for a key that is not known."""
        return cls(**{**data, "label_texts": tuple(data.get("label_texts", ()))})


def apply(
    setup: Setup,
    goal: GoalSheet,
    prompt: Prompt,
    *,
    examples: Sequence[Example] = (),
    chunks: Sequence[Chunk] = (),
) -> tuple[GoalSheet, Prompt]:
    """The goal and the prompt as the model is given them.

    ``examples`` and ``chunks`` are those that fit the question, the best first; the best example comes last, next to
    the question. A system message of the prompt's own stays.
    """
    own = prompt[:1] if prompt and prompt[0].role == "system" else ()
    turns = prompt[len(own) :]
    earlier = tuple(turn for example in reversed(examples) for turn in example.turns)
    if turns and turns[-1].role == "user":
        turns = (*turns[:-1], Message.of("user", _asked(turns[-1].text, chunks, setup.closing)))
    return changed(setup, goal), (*own, *earlier, *turns)


def changed(setup: Setup, goal: GoalSheet) -> GoalSheet:
    """The goal as the model is given it."""
    if setup.system is not None:
        goal = replace(goal, system=setup.system)
    return replace(goal, labels=setup.label_texts) if setup.label_texts else goal


def _asked(question: str, chunks: Sequence[Chunk], closing: str) -> str:
    if chunks:
        notes = "\n\n".join(chunk.shown for chunk in chunks)
        question = NOTES.format(notes=notes, question=question)
    return f"{question}\n\n{closing}" if closing else question


def question_of(prompt: Prompt) -> str:
    """What is searched for: all that was said but the system prompt."""
    return "\n".join(message.text for message in prompt if message.role != "system")


def in_words(setup: Setup) -> str:
    """The set-up in a few words."""
    parts = [f"the {setup.model} model" if setup.model == "tuned" else "the base"]
    if setup.votes:
        return f"the labels of the {setup.votes} nearest training examples, by the base's vectors"
    if setup.system is not None or setup.closing or setup.label_texts:
        parts.append("a better prompt")
    if setup.examples:
        parts.append(f"{setup.examples} similar training examples")
    if setup.chunks:
        parts.append(f"{setup.chunks} pieces of your documents")
    if setup.enforce_schema:
        parts.append("the schema enforced")
    if len(parts) == 1:
        return f"{parts[0]} with your prompt"
    return f"{parts[0]} with {', '.join(parts[1:-1])}{' and ' if len(parts) > 2 else ''}{parts[-1]}"
