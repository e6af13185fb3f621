"""Each method's losses are those of the textbook loop, step after step: padded batches, transformers, peft, AdamW."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from tests.unit.training import textbook
from tests.unit.training.methods import BETA, METHODS, Base, fill_adapters, losses, make_run, recipe_of
from tunesmith.learners.causal_lm.load import quiet

STEPS = 6
#: float32: sums of some hundred terms in another order differ by less than a hundredth of this.
CLOSE = 1e-5


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(tmp_path_factory.mktemp("bases"))


def plain_model(method: str, folder: Path) -> Any:
    """The base by transformers, with peft's adapter as the method's paper has it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    if method == "full":
        return model
    settings = METHODS[method]
    config = LoraConfig(
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        use_rslora=method == "rslora",
        use_dora=method == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with quiet():
        model = get_peft_model(model, config)
    fill_adapters(model)
    return model


@pytest.mark.parametrize("method", [method for method in METHODS if method != "classifier"])
def test_the_losses_of_a_language_model_are_the_textbooks(base: Base, tmp_path: Path, method: str) -> None:
    run = make_run(method, base, tmp_path)
    drawn = [run.sampler.step(step) for step in range(STEPS)]
    assert len(run.batches(drawn[0])) > 1
    ours = losses(run, STEPS)
    theirs = textbook.train(
        plain_model(method, base.folder(method)),
        textbook.preference_loss_of(BETA) if method == "dpo" else textbook.answer_loss,
        drawn,
        learning_rate=METHODS[method]["learning_rate"],
        warmup_steps=2,
        of=recipe_of(method).steps,
    )
    assert ours == pytest.approx(theirs, rel=CLOSE)
    assert ours[-1] < 0.99 * ours[0]


def contrast(features: torch.Tensor, labels: list[int]) -> torch.Tensor:
    """Khosla et al., arXiv 2004.11362, equation 2, row by row: temperature 0.1, rows without a partner left out."""
    unit = normalize(features, dim=1)
    losses = []
    for row in range(len(labels)):
        others = [other for other in range(len(labels)) if other != row]
        near = torch.stack([unit[row] @ unit[other] / 0.1 for other in others]).log_softmax(0)
        partners = [place for place, other in enumerate(others) if labels[other] == labels[row]]
        if partners:
            losses.append(-near[partners].mean())
    return torch.stack(losses).mean()


def test_the_losses_of_a_classifier_are_the_textbooks(base: Base, tmp_path: Path) -> None:
    """Cross-entropy with label smoothing 0.1 and the contrast are minimised; the cross-entropy is told."""
    from transformers import AutoModelForSequenceClassification

    run = make_run("classifier", base, tmp_path)
    run.model.model.save_pretrained(tmp_path / "start")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "start", dtype=torch.float32)
    plain.get_input_embeddings().weight.requires_grad_(False)
    told: list[float] = []

    def loss(model: Any, rows: Any) -> torch.Tensor:
        longest = max(len(row.tokens) for row in rows)
        ids = torch.tensor([[*row.tokens, *[0] * (longest - len(row.tokens))] for row in rows])
        real = torch.tensor([[1] * len(row.tokens) + [0] * (longest - len(row.tokens)) for row in rows])
        labels = torch.tensor([row.label for row in rows])
        weights = torch.tensor([row.weight for row in rows])
        features = model.bert(input_ids=ids, attention_mask=real).pooler_output
        logits = model.classifier(features)
        shares = weights / weights.sum()
        told.append((shares * cross_entropy(logits, labels, reduction="none")).sum().item())
        smooth = (shares * cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)).sum()
        return smooth + contrast(features, labels.tolist())

    drawn = [run.sampler.step(step) for step in range(STEPS)]
    assert len(run.batches(drawn[0])) > 1
    textbook.train(
        plain,
        loss,
        drawn,
        learning_rate=METHODS["classifier"]["learning_rate"],
        faster=lambda name: 5.0 if name.startswith("classifier.") else 1.0,
        warmup_steps=2,
        of=recipe_of("classifier").steps,
    )
    assert losses(run, STEPS) == pytest.approx(told, rel=CLOSE)
