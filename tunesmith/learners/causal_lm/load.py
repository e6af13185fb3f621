"""Load a causal language model: the base, the base with a fresh adapter to train, or the tuned model."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tunesmith.errors import InputError
from tunesmith.learners.causal_lm.adapter import fuse
from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.decoder_layer import Layer, layers_of
from tunesmith.learners.causal_lm.export import save_model
from tunesmith.learners.causal_lm.loss import hidden_states, outcome_of, preference_loss, tree_loss
from tunesmith.learners.gradients import add_gradients, checkpoint_activations, kept_bytes
from tunesmith.learners.own_layers import agree, narrow_products
from tunesmith.learners.protocol import Outcome, Peers, PreferenceTree, TokenTree, together
from tunesmith.products import BaseModel, EncodedRow, GoalSheet
from tunesmith.workers import Workers


def load_base(base: BaseModel, dtype: torch.dtype = torch.float32) -> Any:
    """The base model in evaluation mode."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        base.folder, dtype=dtype, local_files_only=True, use_safetensors=True, attn_implementation="sdpa"
    )
    return model.eval()


def load_tuned(base: BaseModel, folder: Path) -> Any:
    """The tuned model in evaluation mode, in float32, an adapter merged into the base.

    Its matrices hold numbers that 16 bits hold too, so that what is tested and what a 16-bit file serves are the
    same weights (docs/decisions/0014-half-weights.md). The folder is left as it was trained.
    """
    return _rounded_to_half(_merged(base, folder)).eval()


def _merged(base: BaseModel, folder: Path) -> Any:
    if not (folder / "adapter_config.json").exists():
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    from peft import PeftModel

    with quiet():
        model = PeftModel.from_pretrained(load_base(base), folder)
        return model.merge_and_unload()


@torch.no_grad()
def _rounded_to_half(model: Any) -> Any:
    """Round each matrix to float16's numbers. One with numbers beyond its range stays: no 16-bit file can hold it."""
    for parameter in model.parameters():
        if parameter.ndim >= 2 and (half := parameter.half()).isfinite().all():
            parameter.copy_(half)
    return model


class quiet(warnings.catch_warnings):  # noqa: N801 - used like a function
    """Silence the warnings of a library while it loads a model that we have checked ourselves."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered


def prepare(base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], rows: Sequence[EncodedRow]) -> CausalLM:
    """The base made ready for training as the recipe says: ``method`` lora, rslora, dora or full.

    Frozen weights are in ``recipe["precision"]``, and so are products; what is trained is float32.
    Of ``rows`` the first serves to try our own decoder layers on.
    """
    torch.manual_seed(recipe["seed"])
    if recipe["method"] == "full":
        if recipe["objective"] == "dpo":
            raise InputError(
                "method_not_served",
                "preferences are trained beside the base, which is the model with its adapter off; "
                "method full has no adapter",
                "tunesmith.yaml: train.method",
                "set train.method: lora",
            )
        whole = load_base(base)
        install(whole)
        return CausalLM(whole, base, goal, recipe, rows)
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe["rank"],
        lora_alpha=recipe["alpha"],
        lora_dropout=recipe["dropout"],
        use_rslora=recipe["method"] == "rslora",
        use_dora=recipe["method"] == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with quiet():
        inner = load_base(base, getattr(torch, recipe["precision"]))
        install(inner)
        model = get_peft_model(inner, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    fuse(model)
    return CausalLM(model, base, goal, recipe, rows)


@torch.no_grad()
def _own_layers(model: Any, row: EncodedRow, dtype: torch.dtype) -> list[Layer] | None:
    """Our own decoder layers for this model, if it has their form and give what transformers' give for a row."""
    layers = layers_of(model.get_decoder(), dtype)
    if layers is None:
        return None
    tokens = np.array(row.tokens[:64], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    chain = TokenTree(tokens, np.arange(len(tokens)), np.full(len(tokens), len(tokens)), none, none, none.astype(float))
    ready = [layer.ready() for layer in layers]
    ours, theirs = hidden_states(model, chain, ready), hidden_states(model, chain)
    return layers if agree(ours, theirs, ready[0].dtype) else None


class CausalLM:
    """A causal language model as the training loop sees it (see learners/protocol.py: Trainable)."""

    def __init__(
        self, model: Any, base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], rows: Sequence[EncodedRow]
    ) -> None:
        self.model = model
        self.base = base
        self.goal = goal
        self.recipe = recipe
        self.inner = model if recipe["method"] == "full" else model.get_base_model()
        self._own = _own_layers(self.inner, rows[0], getattr(torch, recipe["precision"])) if rows else None
        self.layers: list[Layer] | None = None
        self.checkpoint_activations(recipe["activation_checkpointing"])
        # transformers' own code switches the adapter off for all threads, so there one tree is computed at a time.
        self._alone = nullcontext() if self.layers is not None else threading.Lock()
        # Layers that `fuse` left to peft multiply float32 adapters with bfloat16 activations; and weights that are
        # all trained are in float32 where transformers' code multiplies with them.
        by_others = recipe["dropout"] > 0 if recipe["method"] != "full" else self.layers is None
        self.mixed = recipe["precision"] == "bfloat16" and by_others

    def _ready(self) -> None:
        """Cast what is trained as it is now."""
        if self._own is not None:
            self.layers = [layer.ready() for layer in self._own]

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, parameter) for name, parameter in self.model.named_parameters() if parameter.requires_grad]

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        matrices = [parameter for _, parameter in self._named() if parameter.ndim >= 2]
        vectors = [parameter for _, parameter in self._named() if parameter.ndim < 2]
        groups = [
            {"params": matrices, "lr": learning_rate, "weight_decay": weight_decay},
            {"params": vectors, "lr": learning_rate, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def _loss(self, tree: TokenTree) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            return tree_loss(self.inner, tree, self.layers)

    def gradients(self, batches: Sequence[TokenTree], weight: float, workers: Workers, peers: Peers) -> Outcome:
        parameters = [parameter for _, parameter in self._named()]
        self._ready()

        def of_tree(tree: TokenTree) -> tuple[Outcome, Sequence[Any]]:
            if isinstance(tree, PreferenceTree):
                with self._alone:
                    scalar, outcome = self._preference_loss(tree)
                    return outcome, torch.autograd.grad(scalar / weight, parameters)
            loss, hits, losses = self._loss(tree)
            return outcome_of(tree, hits, losses), torch.autograd.grad(loss / weight, parameters, allow_unused=True)

        outcomes = []
        with narrow_products(self.layers is not None and self.recipe["precision"] == "bfloat16"):
            for outcome, found in workers.map(of_tree, peers.share(batches)):
                outcomes.append(outcome)
                add_gradients(parameters, found)
        return together(outcomes)

    def _preference_loss(self, tree: PreferenceTree) -> tuple[Tensor, Outcome]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            return preference_loss(self.inner, tree, self.layers, self._before, self.recipe["beta"])

    def _before(self, tree: TokenTree) -> Tensor:
        """Hidden states by the base: the adapter switched off."""
        if self.layers is not None:
            return hidden_states(self.inner, tree, [layer.without_adapters() for layer in self.layers])
        with self.model.disable_adapter():
            return hidden_states(self.inner, tree)

    @torch.no_grad()
    def measure(self, batch: TokenTree) -> Outcome:
        if isinstance(batch, PreferenceTree):
            with self._alone:
                return self._preference_loss(batch)[1]
        _, hits, losses = self._loss(batch)
        return outcome_of(batch, hits, losses)

    def kept_bytes(self, batch: TokenTree) -> int:
        if isinstance(batch, PreferenceTree):
            return kept_bytes(partial(self._preference_loss, batch), self.model)
        return kept_bytes(partial(self._loss, batch), self.model)

    def checkpoint_activations(self, on: bool) -> bool:
        if self._own is None:
            return checkpoint_activations(self.inner, on)
        self._own = [replace(layer, checkpointed=on) for layer in self._own]
        self._ready()
        return True

    def trained_state(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._named()}

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        named = dict(self._named())
        with torch.no_grad():
            for name, parameter in named.items():
                parameter.copy_(state[name])

    def train(self, on: bool = True) -> None:
        self.model.train(on)
        self._ready()

    def save(self, folder: Path) -> None:
        save_model(self.model, self.base, self.goal, self.recipe, folder)
