"""Training as the textbook has it: padded batches through transformers and peft, torch's AdamW, nothing of ours.

Written to be compared with, and for nothing else: one row a line of a padded batch, losses by their formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tunesmith.products import EncodedRow

#: A row of tokens, and which of them are trained.
Side = tuple[Sequence[int], Sequence[bool]]
Loss = Callable[[Any, Sequence[EncodedRow]], Tensor]


def log_probabilities(model: Any, sides: Sequence[Side]) -> Tensor:
    """log p of each token given those before it, padded to the longest: [rows, tokens], 0 where not trained."""
    longest = max(len(tokens) for tokens, _ in sides)
    ids = torch.zeros(len(sides), longest, dtype=torch.long)
    real = torch.zeros(len(sides), longest, dtype=torch.long)
    trained = torch.zeros(len(sides), longest, dtype=torch.bool)
    for row, (tokens, marks) in enumerate(sides):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        real[row, : len(tokens)] = 1
        trained[row, : len(tokens)] = torch.tensor(marks)
    trained[:, 0] = False  # nothing comes before the first token
    logits = model(input_ids=ids, attention_mask=real).logits
    told = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[:, :, 0]
    return torch.where(trained[:, 1:], told, 0.0)


def answer_loss(model: Any, rows: Sequence[EncodedRow]) -> Tensor:
    """The mean of -log p over trained tokens, each counted with the weight of its row."""
    told = log_probabilities(model, [(row.tokens, row.trained) for row in rows]).sum(1)
    weights = torch.tensor([row.weight for row in rows], dtype=told.dtype)
    return -(weights * told).sum() / sum(row.weight * sum(row.trained[1:]) for row in rows)


def preference_loss_of(beta: float) -> Loss:
    """Rafailov et al., arXiv 2305.18290, equation 7; the reference is the model with its adapter off."""

    def loss(model: Any, rows: Sequence[EncodedRow]) -> Tensor:
        gains = []
        for sides in (
            [(row.tokens, row.trained) for row in rows],
            [(row.rejected, row.rejected_trained) for row in rows],
        ):
            with torch.no_grad(), model.disable_adapter():
                before = log_probabilities(model, sides).sum(1)
            gains.append(log_probabilities(model, sides).sum(1) - before)
        weights = torch.tensor([row.weight for row in rows], dtype=gains[0].dtype)
        return -(weights * logsigmoid(beta * (gains[0] - gains[1]))).sum() / weights.sum()

    return loss


def train(
    model: Any,
    loss: Loss,
    steps: Sequence[Sequence[EncodedRow]],
    *,
    learning_rate: float,
    faster: Callable[[str], float] = lambda name: 1.0,
    weight_decay: float = 0.01,
    warmup_steps: int = 1,
    of: int,
) -> list[float]:
    """The loss of each step. The learning rate rises over the first steps, then falls to nothing after ``of``.

    Weight decay is for matrices alone; ``faster`` multiplies the learning rate of the parameter with that name.
    """
    groups = [
        {
            "params": [parameter],
            "peak": learning_rate * faster(name),
            "weight_decay": weight_decay if parameter.ndim > 1 else 0.0,
        }
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), eps=1e-8)
    told = []
    for number, rows in enumerate(steps):
        rise = min(1.0, (number + 1) / warmup_steps)
        fall = min(1.0, (of - number) / (of - warmup_steps + 1))
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(rise, fall)
        optimizer.zero_grad()
        found = loss(model, rows)
        found.backward()
        torch.nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], 1.0)
        optimizer.step()
        told.append(found.item())
    return told
