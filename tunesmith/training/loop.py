"""The training loop: a generator of measurements that can be killed at any moment and goes on.

One optimizer step is the textbook's: the rows that the sampler drew, their token-weighted mean loss,
clipped gradients, AdamW. What a step does depends on the trained state, the seed and the step's
number alone (the random state is set anew from these at each step), so a run that was killed and
resumed from a checkpoint repeats the very steps that the uninterrupted run takes.

Several processes may take the same run together (training/ranks.py): each computes its share of a step's
batches, and all else is the same in each, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import TunesmithError
from tunesmith.learners.protocol import Outcome, RowOutcome, together
from tunesmith.products import EncodedRow
from tunesmith.training import checkpoint, growth
from tunesmith.training.disk import told_of_disk
from tunesmith.training.ledger import Ledger
from tunesmith.training.ranks import ALONE, Ranks
from tunesmith.training.recipe import Recipe
from tunesmith.training.sampler import Sampler
from tunesmith.training.schedule import factor
from tunesmith.training.validation_rows import ValidationRows
from tunesmith.workers import Workers

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tunesmith.learners.protocol import Trainable

#: Makes the batches of one optimizer step out of its rows.
BatchMaker = Callable[[Sequence[EncodedRow]], list[Any]]

BAD_STEPS_IN_A_ROW = 3
#: So many rows of a skipped step are named in its message.
IDS_TOLD = 3
#: Keeps the random numbers of ranks apart: 2**32 over the golden ratio, since torch seeds by 32 bits.
RANK_SEED = 0x9E3779B1


@dataclass
class State:
    """Everything of a run but tensors; JSON, and whole in each checkpoint. ``steps`` is the plan as it stands."""

    step: int = 0
    steps: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.inf
    best_accuracy: float = 0.0
    without_better: int = 0
    skipped: list[dict[str, Any]] = field(default_factory=list)
    bad_in_a_row: int = 0
    seconds: float = 0.0
    step_seconds: float = 0.0
    tokens: int = 0
    computed_tokens: int = 0
    stopped_early: bool = False
    done: bool = False


@dataclass(frozen=True)
class Measurement:
    """What the loop tells: ``kind`` is step, skipped, validation, grown, resumed, damaged or anew.

    A step that is skipped is told as a step too. ``anew``: checkpoints were there, and none is whole.
    """

    kind: str
    data: dict[str, Any]


class Run:
    """One training run. ``rows`` and ``validation`` are encoded; ``folder`` holds its checkpoints.

    Without validation rows nothing is chosen: the last step's weights are kept.
    """

    def __init__(
        self,
        model: Trainable,
        rows: Sequence[EncodedRow],
        validation: Sequence[EncodedRow],
        batches: BatchMaker,
        recipe: Recipe,
        folder: Path,
        ranks: Ranks = ALONE,
    ) -> None:
        import torch

        self.ranks = ranks
        self.model = model
        self.sampler = Sampler(rows, recipe.batch_size, recipe.seed)
        self.batches = batches
        self.validation = batches(validation)
        self.recipe = recipe
        self.folder = folder
        self.state = State(steps=recipe.steps)
        self.best: dict[str, Tensor] = {}
        self.ledger = Ledger(rows)
        self.validated = ValidationRows(validation)
        self.optimizer = torch.optim.AdamW(
            model.parameter_groups(recipe.learning_rate, recipe.weight_decay),
            betas=(0.9, recipe.adam_beta2),
            eps=1e-8,
            fused=True,
        )
        self._peaks = [group["lr"] for group in self.optimizer.param_groups]
        self._saved_at = time.monotonic()
        self._saved_step = 0
        self._workers = Workers(1)

    def __iter__(self) -> Iterator[Measurement]:
        """Train to the end, telling each step and validation. Stop iterating to stop; nothing is lost
        but the time since the last checkpoint. Afterwards the model holds the best step's weights."""
        with Workers(self.ranks.workers(self.recipe.workers)) as self._workers:
            yield from self._train()
        if self.validation:
            self.model.load_trained_state(self.best)

    def _train(self) -> Iterator[Measurement]:
        yield from self._resume()
        state, recipe = self.state, self.recipe
        self.model.train()
        if self._validation_is_due():
            yield self._validate()
        while not state.done:
            started = time.monotonic()
            told = self._step()
            state.step += 1
            state.done = state.step >= state.steps
            self._time(told, time.monotonic() - started)
            yield told
            if state.bad_in_a_row:
                yield Measurement("skipped", state.skipped[-1])
            if self._validation_is_due():
                yield self._validate()
                yield from self._grow()
            if self.ranks.tell(state.done or time.monotonic() - self._saved_at >= recipe.checkpoint_seconds):
                self.save()

    def _resume(self) -> Iterator[Measurement]:
        """Go on from the newest whole checkpoint. All is loaded before the first word: who hears it may stop there."""
        found, damaged = self._newest()
        if found is not None:
            self.state = State(**found.state)
            self.best = found.best
            self.model.load_trained_state(found.weights)
            checkpoint.load_optimizer(self.optimizer, found.optimizer)
            self.ledger.load(found.ledger)
            self.validated.load(found.ledger)
            self._saved_step = self.state.step
        else:
            self.model.load_trained_state(self.ranks.spread(self.model.trained_state()))
        for directory in damaged:
            yield Measurement("damaged", {"directory": directory})
        if found is not None:
            yield Measurement("resumed", {"step": self.state.step, "steps": self.state.steps})
        elif damaged:
            yield Measurement("anew", {"damaged": len(damaged), "steps": self.recipe.steps})

    def _validation_is_due(self) -> bool:
        """Before the first step, every so many steps, and after the last one.

        A stop may lie between a step and its validation, which is then the first that the next run does.
        """
        state = self.state
        if not self.validation or not (state.done or state.step % self.recipe.validate_every == 0):
            return False
        validated = next((entry["step"] for entry in reversed(state.curve) if "validation_loss" in entry), None)
        return validated != state.step

    def _newest(self) -> tuple[checkpoint.Checkpoint | None, list[str]]:
        """The newest whole checkpoint that the first rank finds, in every rank, and the damaged ones."""
        found, damaged = checkpoint.newest(self.folder) if self.ranks.first else (None, [])
        state, names = self.ranks.tell([found.state if found else None, [str(directory) for directory in damaged]])
        if state is None:
            return None, names
        tensors = {name: self.ranks.spread(getattr(found, name) if found else {}) for name in checkpoint.TENSORS}
        return checkpoint.Checkpoint(**tensors, state=state), names

    def save(self) -> None:
        """Write a checkpoint of this moment, in the first rank. Raises TunesmithError when the disk refuses it."""
        self.ranks.hold_together(self.model.trained_state())
        if not self.ranks.first:
            return
        state = dict(vars(self.state))
        if math.isinf(state["best_loss"]):
            state["best_loss"] = 1e308  # JSON has no infinity
        moment = checkpoint.Checkpoint(
            self.model.trained_state(),
            self.best,
            checkpoint.optimizer_tensors(self.optimizer),
            self.ledger.tensors() | self.validated.tensors(),
            state,
        )
        with told_of_disk(self.folder, "a checkpoint", checkpoint.size_of(moment), self._saved_step):
            checkpoint.save(self.folder, moment)
        self._saved_at, self._saved_step = time.monotonic(), self.state.step

    def _step(self) -> Measurement:
        """One optimizer step over the rows that the sampler drew."""
        import torch

        state, recipe = self.state, self.recipe
        torch.manual_seed(recipe.seed * 1_000_003 + state.step + self.ranks.rank * RANK_SEED)
        rows = self.sampler.step(state.step)
        batches = self.batches(rows)
        weight = sum(batch.weight for batch in batches)
        scale = factor(state.step, state.steps, recipe.warmup, recipe.schedule)
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * scale
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        found = gathered(self.model.gradients(batches, weight, self._workers, self.ranks), self.ranks)
        total = found.mean_loss
        norm = self._clip(parameters)
        if math.isfinite(total) and math.isfinite(norm):
            self.optimizer.step()
            self.ledger.record({id: row.loss for id, row in found.rows.items()})
            state.bad_in_a_row = 0
        else:
            self._skip(rows, total, norm)
        self.optimizer.zero_grad(set_to_none=True)
        told = {
            "train_loss": total,
            "train_accuracy": found.accuracy,
            "learning_rate": recipe.learning_rate * scale,
            "gradient_norm": norm,
        }
        if math.isfinite(total) and math.isfinite(norm):
            state.curve.append({"step": state.step + 1} | {name: float(f"{told[name]:.6g}") for name in told})
        plan = {"step": state.step + 1, "steps": state.steps}
        return Measurement("step", plan | told | tokens_of(rows, batches, recipe.objective))

    def _time(self, told: Measurement, seconds: float) -> None:
        """Count a step's tokens and time, and put its speed beside its measurements."""
        state = self.state
        state.seconds += seconds
        state.step_seconds += seconds
        told.data["seconds"] = state.seconds
        for name in ("tokens", "computed_tokens"):
            setattr(state, name, getattr(state, name) + told.data[name])
            told.data[f"{name}_per_second"] = told.data[name] / seconds

    def let_go(self) -> None:
        """Give up the model and what belongs to it; what the run found stays."""
        del self.model, self.optimizer
        self.best = {}

    def _clip(self, parameters: Sequence[torch.nn.Parameter]) -> float:
        """Add up the gradients of all ranks and scale them down to the norm that is allowed. Returns their norm.

        It is the first rank's: with another number of threads the last bit of such a sum may differ.
        """
        from torch.nn.utils import clip_grads_with_norm_, get_total_norm

        self.ranks.sum_gradients(parameters)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = self.ranks.broadcast(get_total_norm(gradients))
        clip_grads_with_norm_(parameters, self.recipe.max_grad_norm, norm)
        return norm.item()

    def ledger_lines(self) -> list[dict[str, Any]]:
        """What became of each example, see `Ledger.lines`; after the run."""
        kept = self.state.best_step if self.validation else self.state.step
        return self.ledger.lines(self.sampler, self.state.step, {one["step"] for one in self.state.skipped}, kept)

    def _skip(self, rows: Sequence[EncodedRow], loss: float, norm: float) -> None:
        """Leave the weights alone when a step is not finite; give up after three in a row."""
        state = self.state
        state.bad_in_a_row += 1
        why = f"the loss was {loss}" if not math.isfinite(loss) else f"the gradient's norm was {norm}"
        state.skipped.append({"step": state.step + 1, "ids": [row.id for row in rows], "why": why})
        if state.bad_in_a_row >= BAD_STEPS_IN_A_ROW:
            raise TunesmithError(
                "training_not_finite",
                f"{BAD_STEPS_IN_A_ROW} steps in a row had no finite loss or gradient: "
                f"{'; '.join(_skip_in_words(one) for one in state.skipped[-BAD_STEPS_IN_A_ROW:])}",
                f"step {state.step + 1}",
                f"set a smaller train.learning_rate (it is {self.recipe.learning_rate:g}) or precision: float32",
            )

    def _validate(self) -> Measurement:
        """Measure the validation part; keep the weights when they are the best so far."""
        state = self.state
        started = time.monotonic()
        found = measure(self.model, self.validation, self._workers, self.ranks)
        state.seconds += time.monotonic() - started
        entry = {
            "step": state.step,
            "validation_loss": round(found.mean_loss, 6),
            "validation_accuracy": round(found.accuracy, 6),
        }
        state.curve.append(entry)
        better = self._is_better(found) or not self.best
        early = state.step <= growth.LOOKED_FROM * state.steps
        self.validated.record(found.rows, first=state.step == 0, early=early, keep=better)
        if better:
            state.best_loss, state.best_step, state.without_better = found.mean_loss, state.step, 0
            state.best_accuracy = max(state.best_accuracy, found.accuracy)
            self.best = {name: value.clone() for name, value in self.model.trained_state().items()}
        else:
            state.without_better += 1
            if state.without_better >= self.recipe.patience:
                state.stopped_early = state.done = True
        return Measurement("validation", {**entry, "best_step": state.best_step})

    def _grow(self) -> Iterator[Measurement]:
        """Lengthen the plan at its end when the last step is the best so far and what the last part of the plan gained
        is clear. The decision follows from what is in the checkpoint alone."""
        state, rows = self.state, self.validated
        if not self.recipe.grows or not state.done or state.stopped_early or state.best_step != state.step:
            return
        found = growth.gain(rows.before, rows.earlier, rows.kept, self.recipe.criterion)
        more = growth.longer(state.steps, self.recipe.steps)
        if self.ranks.tell(found.is_clear and more > state.steps):
            state.steps, state.done = more, False
            rows.earlier = rows.kept.clone()
            yield Measurement("grown", {"step": state.step, "steps": more, "gain": found.value, "error": found.error})

    def _is_better(self, found: Outcome) -> bool:
        """Whether this step's weights are to be kept rather than the best so far.

        By loss, the lower wins. By accuracy (a classifier), the later step wins unless it is worse
        than the highest accuracy by more than its standard error: on few rows a difference below
        that is chance, and later weights have seen more and are annealed further.
        """
        if self.recipe.criterion == "loss":
            return found.mean_loss < self.state.best_loss
        highest = self.state.best_accuracy
        return found.accuracy >= highest - standard_error(highest, found.weight)


def _skip_in_words(skipped: dict[str, Any]) -> str:
    ids = skipped["ids"]
    more = f" and {len(ids) - IDS_TOLD:,} more" if len(ids) > IDS_TOLD else ""
    return f"in step {skipped['step']:,} {skipped['why']} (rows {', '.join(ids[:IDS_TOLD])}{more})"


def gathered(own: Outcome, ranks: Ranks) -> Outcome:
    """The outcome of all ranks together, given each its own part."""
    if ranks.size == 1:
        return own
    parts = ranks.gather_facts([own.loss, own.right, own.weight, dict(own.rows)])
    return together(
        Outcome(loss, right, weight, {id: RowOutcome(*row) for id, row in rows.items()})
        for loss, right, weight, rows in parts
    )


def measure(model: Trainable, batches: Sequence[Any], workers: Workers, ranks: Ranks = ALONE) -> Outcome:
    """How the model does on some batches, without dropout."""
    model.train(False)
    found = gathered(together(workers.map(model.measure, ranks.share(batches))), ranks)
    model.train(True)
    return found


def tokens_of(rows: Sequence[EncodedRow], batches: Sequence[Any], objective: str) -> dict[str, int]:
    """The ``tokens`` of rows, and the ``computed_tokens``: fewer where rows share, more where they are padded."""
    pairs = objective == "dpo"
    return {
        "tokens": sum(len(row.tokens) + (len(row.rejected) if pairs else 0) for row in rows),
        "computed_tokens": sum(batch.computed for batch in batches),
    }


def standard_error(share: float, n: float) -> float:
    """The standard error of a share of n rows, with one success and one failure added (Agresti and Coull)."""
    smoothed = (share * n + 1) / (n + 2)
    return math.sqrt(smoothed * (1 - smoothed) / (n + 2))
