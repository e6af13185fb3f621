"""For random conversations, weights and trees, a step's loss and every gradient are the padded batch's, to 1e-10.

In float64, through the loop's own step: batches, threads, normalisation and clipping included. The textbook side is
transformers and peft on rows padded to the longest (textbook.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training import textbook
from tests.unit.training.test_tree_packing import VOCABULARY, tiny_model
from tunesmith.learners.causal_lm.adapter import fuse
from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.load import CausalLM, quiet
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.loop import Run
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.recipe import Recipe, choose
from tunesmith.training.tree_packing import trees

BETA = 0.3
EXACT = 1e-10


@dataclass(frozen=True)
class Variant:
    """A method, and which of the ways through the decoder computes it."""

    method: str
    way: str
    objective: str = "sft"


VARIANTS = [
    Variant("lora", "own layers"),
    Variant("lora", "fused adapters"),
    Variant("lora", "transformers"),
    Variant("rslora", "own layers"),
    Variant("dora", "transformers"),
    Variant("full", "transformers"),
    Variant("lora", "own layers", "dpo"),
    Variant("lora", "fused adapters", "dpo"),
    Variant("dora", "transformers", "dpo"),
]


def model_of(variant: Variant) -> Any:
    """A tiny Llama in float64, its adapters not at their start (where B is zero and A has no gradient)."""
    from peft import LoraConfig, get_peft_model

    model = tiny_model()
    if variant.method == "full":
        return model
    config = LoraConfig(
        r=3,
        lora_alpha=5,
        use_rslora=variant.method == "rslora",
        use_dora=variant.method == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with quiet():
        model = get_peft_model(model, config)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_" in name and parameter.ndim == 2:
            parameter.data = torch.randn_like(parameter, dtype=torch.float64) * 0.3
    return model.double()


def trainable_of(variant: Variant) -> CausalLM:
    """The same as our training sees it."""
    model = model_of(variant)
    install(model if variant.method == "full" else model.get_base_model())
    if variant.way == "fused adapters":
        assert fuse(model) == 14
    base = BaseModel("tiny", "causal_lm", Path(), 0, 64, "Apache-2.0", ("en",), "test", "", "")
    row = EncodedRow("first", [1, 2, 3], [False, True, True], None, 1.0, 1)
    own = [row] if variant.way == "own layers" else []
    recipe = asdict(replace(recipe_of([row]), method=variant.method, objective=variant.objective))
    made = CausalLM(model, base, GoalSheet("text", "text", ""), recipe, own)
    assert (made.layers is not None) == (variant.way == "own layers")
    return made


def recipe_of(rows: list[EncodedRow]) -> Recipe:
    """One step over all rows, whose gradients are not clipped."""
    given = TrainSettings(
        batch_size=len(rows), epochs=1, max_grad_norm=1e30, dropout=0.0, precision="float32", beta=BETA
    )
    return replace(choose(given, "causal_lm", rows, 0), steps=1)


@dataclass(frozen=True)
class Pair:
    """A variant, the textbook's model and ours, with the same weights."""

    variant: Variant
    plain: Any = field(repr=False)
    ours: CausalLM = field(repr=False)


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda one: f"{one.method}-{one.way}-{one.objective}")
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param, model_of(request.param), trainable_of(request.param))


@st.composite
def conversations(draw: st.DrawFn) -> list[EncodedRow]:
    """Rows that begin with one of two system prompts, and go on for up to three turns, each with a trained answer.

    Few words and few lengths, so that rows share prefixes of every depth, part within questions and within
    answers, end where others go on, and are sometimes equal.
    """
    words = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=4)
    systems = [draw(words), draw(words)]
    made = []
    for number in range(draw(st.integers(1, 6))):
        tokens = list(draw(st.sampled_from(systems)))
        trained = [False] * len(tokens)
        prompt = 0
        for _ in range(draw(st.integers(1, 3))):
            question, answer = draw(words), draw(words)
            prompt = len(tokens) + len(question)
            tokens += [*question, *answer]
            trained += [False] * len(question) + [draw(st.booleans()) for _ in answer[:-1]] + [True]
        rejected = draw(st.one_of(words, st.just(tokens[prompt:])))  # the same answer on both sides, too
        marks = [*trained[:prompt], *[True] * len(rejected)]
        weight = draw(st.sampled_from([0.25, 1.0, 1.0, 3.7]))
        made.append(
            EncodedRow(f"row-{number}", tokens, trained, None, weight, prompt, [*tokens[:prompt], *rejected], marks)
        )
    return made


def step_of(model: CausalLM, rows: list[EncodedRow], objective: str, budget: int, workers: int) -> tuple[float, Any]:
    """The loss that the loop tells of one step over these rows, and the gradients that its optimizer is given."""
    recipe = replace(recipe_of(rows), workers=workers, objective=objective)
    maker: Any = preference_trees if objective == "dpo" else trees
    run = Run(model, rows, [], partial(maker, budget=budget, workers=workers), recipe, Path("no checkpoint is written"))
    parameters = [parameter for group in run.optimizer.param_groups for parameter in group["params"]]
    names = {id(parameter): name for name, parameter in model.model.named_parameters()}
    found: dict[str, torch.Tensor] = {}

    def look() -> None:
        found.update({names[id(one)]: one.grad.clone() for one in parameters if one.grad is not None})

    run.optimizer.step = look  # type: ignore[assignment,method-assign]
    for told in run:
        if told.kind == "step":
            return told.data["train_loss"], found
    raise AssertionError("no step was told")


@settings(max_examples=12)
@given(rows=conversations(), budget=st.sampled_from([1, 9, 20, 1000]), workers=st.sampled_from([1, 2]))
def test_a_steps_loss_and_every_gradient_are_the_padded_batchs(
    pair: Pair, rows: list[EncodedRow], budget: int, workers: int
) -> None:
    variant, plain = pair.variant, pair.plain
    loss = textbook.preference_loss_of(BETA) if variant.objective == "dpo" else textbook.answer_loss
    plain.zero_grad()
    expected = loss(plain, rows)
    expected.backward()
    told, gradients = step_of(pair.ours, rows, variant.objective, budget, workers)
    assert told == pytest.approx(expected.item(), rel=EXACT, abs=EXACT)
    theirs = {name: one.grad for name, one in plain.named_parameters() if one.requires_grad}
    assert len(theirs) >= 20
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            gradient, theirs[name], rtol=EXACT, atol=EXACT, msg=lambda text, name=name: f"{name}: {text}"
        )
