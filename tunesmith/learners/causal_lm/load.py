"""Load a causal language model: the base, the base with a fresh adapter to train, or the tuned model."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tunesmith.errors import InputError
from tunesmith.learners.causal_lm.adapter import fuse
from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.decoder_layer import Layer, agree, layers_of
from tunesmith.learners.causal_lm.export import save_model
from tunesmith.learners.causal_lm.loss import hidden_states, preference_loss, tree_loss
from tunesmith.learners.gradients import add_gradients
from tunesmith.learners.protocol import Peers, PreferenceTree, TokenTree
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
    """The tuned model in evaluation mode, in float32, an adapter merged into the base."""
    if not (folder / "adapter_config.json").exists():
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        ).eval()
    from peft import PeftModel

    with quiet():
        model = PeftModel.from_pretrained(load_base(base), folder)
        return model.merge_and_unload().eval()


class quiet(warnings.catch_warnings):  # noqa: N801 - used like a function
    """Silence the warnings of a library while it loads a model that we have checked ourselves."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered


def prepare(base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], rows: Sequence[EncodedRow]) -> CausalLM:
    """The base made ready for training as the recipe says: ``method`` lora, rslora, dora or full.

    With an adapter the frozen weights are in ``recipe["precision"]``; what is trained is float32.
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
def _own_layers(model: Any, row: EncodedRow) -> list[Layer] | None:
    """Our own decoder layers for this model, if it has their form and give what transformers' give for a row."""
    layers = layers_of(model.get_decoder())
    if layers is None:
        return None
    tokens = np.array(row.tokens[:64], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    chain = TokenTree(tokens, np.arange(len(tokens)), np.full(len(tokens), len(tokens)), none, none, none.astype(float))
    ready = [layer.ready() for layer in layers]
    return layers if agree(hidden_states(model, chain, ready), hidden_states(model, chain)) else None


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
        self._own = _own_layers(self.inner, rows[0]) if rows else None
        self.layers: list[Layer] | None = None
        self._ready()
        # transformers' own code switches the adapter off for all threads, so there one tree is computed at a time.
        self._alone = nullcontext() if self.layers is not None else threading.Lock()
        # Layers that `fuse` left to peft multiply float32 adapters with bfloat16 activations.
        self.mixed = recipe["precision"] == "bfloat16" and recipe["dropout"] > 0

    def _ready(self) -> None:
        """Cast the adapters as they are now."""
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

    def gradients(
        self, batches: Sequence[TokenTree], weight: float, workers: Workers, peers: Peers
    ) -> tuple[float, dict[str, float]]:
        parameters = [parameter for _, parameter in self._named()]
        self._ready()

        def of_tree(tree: TokenTree) -> tuple[float, dict[str, float], Sequence[Any]]:
            if isinstance(tree, PreferenceTree):
                with self._alone:
                    scalar, told, of_rows, _ = self._preference_loss(tree)
                    return told, of_rows, torch.autograd.grad(scalar / weight, parameters)
            loss, _, losses = self._loss(tree)
            each = losses.numpy()
            of_rows = {id: float(each[own].mean()) for id, own in zip(tree.ids, tree.row_targets, strict=True)}
            return loss.item(), of_rows, torch.autograd.grad(loss / weight, parameters, allow_unused=True)

        total = 0.0
        of_rows: dict[str, float] = {}
        for loss, some, found in workers.map(of_tree, peers.share(batches)):
            total += loss
            of_rows |= some
            add_gradients(parameters, found)
        return total, of_rows

    def _preference_loss(self, tree: PreferenceTree) -> tuple[Tensor, float, dict[str, float], float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            return preference_loss(self.inner, tree, self.layers, self._before, self.recipe["beta"])

    def _before(self, tree: TokenTree) -> Tensor:
        """Hidden states by the base: the adapter switched off."""
        if self.layers is not None:
            return hidden_states(self.inner, tree, [layer.without_adapters() for layer in self.layers])
        with self.model.disable_adapter():
            return hidden_states(self.inner, tree)

    @torch.no_grad()
    def measure(self, batch: TokenTree) -> tuple[float, float]:
        if isinstance(batch, PreferenceTree):
            with self._alone:
                _, told, _, preferred = self._preference_loss(batch)
            return told, preferred
        loss, right, _ = self._loss(batch)
        return loss.item(), right.item()

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
