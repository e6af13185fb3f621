"""What a run will take, found by measurement before it begins: memory, then time.

Memory decides how the steps are cut. What a batch keeps for its gradient grows with its nodes (the tokens that
are computed), so it is counted on two small batches and taken along the line through them. Where
the largest batch of the run, side by side with others, does not fit into what is free, fewer are computed side by
side, then smaller ones, then activations are computed again rather than kept. None of these changes
which rows form an optimizer step.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunesmith import memory
from tunesmith.products import EncodedRow
from tunesmith.training.ranks import ALONE, Ranks
from tunesmith.training.recipe import Recipe
from tunesmith.training.sampler import Sampler
from tunesmith.workers import Workers

if TYPE_CHECKING:
    from tunesmith.learners.protocol import Trainable
    from tunesmith.training.loop import BatchMaker

#: Steps whose batches are looked at, evenly over the run.
STEPS_SEEN = 50
#: Nodes of the two small batches on which memory is counted.
SMALL, LARGER = 64, 192
#: Share of the free memory that a run may plan with.
SHARE = 0.8
#: What a batch takes for a moment beside what it keeps, as a share of that.
PASSING = 0.25
#: What the allocator holds of freed memory after many batches of different sizes, as a share of what one keeps.
SLACK = 0.5
#: float32 copies of what is trained: gradient, AdamW's two moments, the best step's. A checkpoint is written from them.
COPIES = 1 + 2 + 1
#: Steps that are timed; at most so many seconds are spent on it, but for the first.
TIMED, TIMED_SECONDS = 3, 6.0


@dataclass(frozen=True)
class Estimate:
    """Seconds of ``training`` and of ``validating``, and the peak ``memory_bytes`` of the process meanwhile."""

    training: float
    validating: float
    memory_bytes: int

    @property
    def seconds(self) -> float:
        return self.training + self.validating


@dataclass(frozen=True)
class Kept:
    """Bytes that a batch keeps for its gradient: ``fixed`` and for each node."""

    fixed: float
    a_node: float

    def of(self, nodes: int) -> float:
        return self.fixed + self.a_node * nodes


def kept_for_gradients(model: Trainable, rows: Sequence[EncodedRow], batches: BatchMaker) -> Kept:
    """Count on two small batches of real rows."""
    few, more = (_first_rows(rows, batches, nodes) for nodes in (SMALL, LARGER))
    (less_bytes, less), (more_bytes, most) = ((model.kept_bytes(batch), batch.computed) for batch in (few, more))
    if most == less:
        return Kept(0.0, less_bytes / less)
    a_node = max(0.0, (more_bytes - less_bytes) / (most - less))
    return Kept(max(0.0, less_bytes - a_node * less), a_node)


def _first_rows(rows: Sequence[EncodedRow], batches: BatchMaker, nodes: int) -> Any:
    """A batch of the first rows that make so many nodes, or of all."""
    count = 1
    while count < len(rows) and sum(len(row.tokens) for row in rows[:count]) < nodes:
        count += 1
    return max(batches(rows[:count]), key=lambda batch: batch.computed)  # type: ignore[no-any-return]


def fit_to_memory(
    model: Trainable,
    rows: Sequence[EncodedRow],
    recipe: Recipe,
    maker: Callable[[Recipe], BatchMaker],
    *,
    may_checkpoint: bool,
    free: int,
) -> Recipe:
    """The recipe with the first of `_ways` that fits into ``free`` bytes, or the last; ``words`` say so when it is not
    the recipe's own. The model is set accordingly."""
    trained = sum(tensor.numel() * 4 for tensor in model.trained_state().values())
    kept: dict[bool, Kept] = {}
    way, needed = recipe, 0.0
    for tried in _ways(recipe, may_checkpoint):
        again = tried.activation_checkpointing
        if again not in kept:
            if not model.checkpoint_activations(again):
                continue
            kept[again] = kept_for_gradients(model, rows, maker(tried))
        way = tried
        largest = max(batch.computed for step in _seen(rows, way) for batch in maker(way)(step))
        needed = way.workers * (1 + PASSING) * kept[again].of(largest) + trained * (COPIES + way.workers)
        if needed <= SHARE * free:
            break
    model.checkpoint_activations(way.activation_checkpointing)
    if way == recipe:
        return recipe
    how = [f"{way.workers} batch{'es' if way.workers > 1 else ''} of about {way.token_budget} tokens at a time"]
    if way.activation_checkpointing and not recipe.activation_checkpointing:
        how.append("activations computed again rather than kept")
    short = "" if needed <= SHARE * free else "; even so it may not be enough"
    return replace(way, words=f"{recipe.words}; {free / 1e9:.1f} GB of memory are free: {', '.join(how)}{short}")


def _ways(recipe: Recipe, may_checkpoint: bool) -> Iterator[Recipe]:
    """The recipe, then others with the same steps in less memory, the fastest first."""
    for again in [False, True] if may_checkpoint else [recipe.activation_checkpointing]:
        for workers in sorted({recipe.workers, 1}, reverse=True):
            yield replace(recipe, workers=workers, activation_checkpointing=again)
        budget = recipe.token_budget // 2
        while budget >= SMALL:
            yield replace(recipe, workers=1, token_budget=budget, activation_checkpointing=again)
            budget //= 2


def _seen(rows: Sequence[EncodedRow], recipe: Recipe) -> Iterator[list[EncodedRow]]:
    """The rows of some steps, evenly over the run; the first is the run's first."""
    sampler = Sampler(rows, recipe.batch_size, recipe.seed)
    for step in range(0, recipe.steps, -(-recipe.steps // STEPS_SEEN)):
        yield sampler.step(step)


def estimate(
    model: Trainable,
    rows: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    recipe: Recipe,
    batches: BatchMaker,
    ranks: Ranks = ALONE,
) -> Estimate:
    """Compute the first step's gradients and some validation rows, and throw them away.

    The run's random state and weights are as before: each step sets the state anew.
    """
    seen = [batches(step) for step in _seen(rows, recipe)]
    nodes = [sum(batch.computed for batch in step) for step in seen]
    first = seen[0]
    weight = sum(batch.weight for batch in first)
    seconds: list[float] = []
    with memory.Peak() as peak, Workers(ranks.workers(recipe.workers)) as workers:
        began = time.monotonic()
        while ranks.tell(
            not seconds or (len(seconds) < TIMED and time.monotonic() - began + seconds[-1] < TIMED_SECONDS)
        ):
            started = time.monotonic()
            model.gradients(first, weight, workers, ranks)
            seconds.append(time.monotonic() - started)
            _forget(model)
        held_back = sorted(batches(validation), key=lambda batch: batch.computed)[-workers.count :]
        started = time.monotonic()
        model.train(False)
        list(workers.map(model.measure, held_back))
        model.train(True)
        measuring = time.monotonic() - started
    steps = statistics.median(seconds[1:] or seconds) * recipe.steps * (sum(nodes) / len(nodes)) / nodes[0]
    validations = 0.0
    if held_back:
        all_nodes = sum(batch.computed for batch in batches(validation))
        count = 1 + -(-recipe.steps // recipe.validate_every)
        validations = count * measuring * all_nodes / sum(batch.computed for batch in held_back) / ranks.size
    trained = sum(tensor.numel() * 4 for tensor in model.trained_state().values())
    largest = max(batch.computed for step in seen for batch in step)
    more = largest - max(batch.computed for batch in first)
    kept = kept_for_gradients(model, rows, batches)
    slack = SLACK * kept.of(largest)
    memory_bytes = peak.bytes + workers.count * (kept.a_node * more + slack) + trained * (COPIES - 1)
    return Estimate(steps, validations, round(memory_bytes))


def _forget(model: Trainable) -> None:
    for group in model.parameter_groups(1.0, 0.0):
        for parameter in group["params"]:
            parameter.grad = None
