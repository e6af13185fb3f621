"""What the tuned model is measured against: the base, or for a fresh model what needs no model at all.

A fresh model's base has random weights: its answers would take minutes to write and say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunesmith.products import BaseModel


@dataclass(frozen=True)
class Rival:
    """``name``: its key among the scores. ``title``, ``heading``, ``short`` and ``words``: what it is called in a
    table's head, over a figure, after "better than", and in a sentence. ``ours``: what the tuned model is called
    beside it. ``unbeaten`` and ``enough``: what follows when it is not shown to be beaten, or meets the goal.
    """

    name: str
    title: str
    heading: str
    short: str
    words: str
    ours: str
    unbeaten: str
    enough: str

    def comparison(self, shown: str, figures: str) -> str:
        """The comparison in a sentence: ``shown`` is better, worse or not_shown."""
        if shown == "better":
            return f"{'Tuning' if self.name == 'base' else self.ours} beats {self.words}: {figures}."
        if shown == "worse":
            return f"{self.ours} is worse than {self.words}: {figures}."
        return f"{self.ours} is not shown to be better than {self.words}: {figures}. {self.unbeaten}"

    def headline(self, shown: str) -> str:
        """The comparison in a few words."""
        found = {"better": f"Better than {self.short}", "worse": f"Worse than {self.short}"}
        return found.get(shown, "Not shown to be better")


THE_BASE = Rival(
    name="base",
    title="Base",
    heading="Base with your prompt",
    short="the base",
    words="the base with your prompt",
    ours="The tuned model",
    unbeaten="As far as these rows can tell, you do not need this model.",
    enough="The base with your prompt meets the goal on its own: you may not need a tuned model.",
)
COMMONEST_ANSWER = Rival(
    name="commonest answer",
    title="Commonest answer",
    heading="Always the commonest answer",
    short="the commonest answer",
    words="always giving the commonest answer of the training rows",
    ours="The model",
    unbeaten="As far as these rows can tell, it has not learned to tell inputs apart.",
    enough="Always giving the commonest answer meets the goal on its own: the goal asks too little.",
)
TOKEN_FREQUENCIES = Rival(
    name="token frequencies",
    title="Token frequencies",
    heading="Token frequencies alone",
    short="token frequencies",
    words="knowing how frequent each token is",
    ours="The model",
    unbeaten="As far as these texts can tell, it has learned no more than that.",
    enough="Knowing how frequent each token is meets the goal on its own: the goal asks too little.",
)
#: How the same answer for all is called where answers are objects, and where hardly two are alike.
_BY_OUTPUT = {
    "json": "always giving the commonest value of each field",
    "text": "always giving the same answer, the commonest of the training rows or the first of them",
}


def rival_of(base: BaseModel, output: str, *, texts: bool) -> Rival:
    """What a model made from this base is to beat. ``texts``: the test rows are texts without a question."""
    if not base.from_scratch:
        return THE_BASE
    if texts:
        return TOKEN_FREQUENCIES
    return replace(COMMONEST_ANSWER, words=_BY_OUTPUT.get(output, COMMONEST_ANSWER.words))
