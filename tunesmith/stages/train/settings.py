"""Settings of the stage `train`: how the model learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunesmith.settings import Settings

Auto = Literal["auto"]


class TrainSettings(Settings):
    """The training, its curves, its verdict."""

    method: Literal["auto", "lora", "rslora", "dora", "full"] = Field(
        "auto",
        description="lora: a small adapter on a frozen base. rslora: its scale is alpha / sqrt(rank), for high ranks. "
        "dora: the length of each weight's columns is trained too; slower. full: all weights. auto: by the "
        "kind of base; a fresh model is always trained whole.",
    )
    objective: Literal["sft", "dpo"] = Field(
        "sft",
        description="sft: the answers are to be given (supervised fine-tuning). dpo: rather than the rejected ones "
        "(direct preference optimisation); every row then needs a rejected answer, see collect.rejected.",
    )
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        description="dpo: the larger, the closer the model stays to the base while it learns preferences.",
    )
    epochs: Annotated[float, Field(gt=0, le=10_000)] | Auto = Field(
        "auto",
        description="Passes over the training rows. auto: by their number, and up to three times as many while the "
        "validation part gains clearly.",
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] | Auto = Field("auto", description="The peak learning rate.")
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] | Auto = Field(
        "auto", description="Rows in one optimizer step."
    )
    warmup: float = Field(0.06, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    schedule: Literal["auto", "linear", "cosine"] = Field(
        "auto",
        description="How the learning rate falls after that. linear: to nothing. cosine: to a tenth. auto: cosine for "
        "a fresh model, else linear.",
    )
    weight_decay: Annotated[float, Field(ge=0)] | Auto = Field(
        "auto", description="Decoupled weight decay of AdamW. auto: 0.1 for a fresh model, else 0.01."
    )
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")
    rank: int = Field(16, ge=1, description="Rank of the LoRA matrices.")
    alpha: int = Field(32, ge=1, description="LoRA's scale is alpha / rank.")
    dropout: Annotated[float, Field(ge=0, lt=1)] | Auto = Field(
        "auto", description="Dropout: of LoRA's input, or of the classifier's features."
    )
    validations: int = Field(6, ge=1, description="How many times the validation part is measured, over the run.")
    patience: int = Field(4, ge=1, description="Stop after this many validations without a better one.")
    refit: bool | Auto = Field(
        "auto",
        description="Once the step is chosen, train anew on training and validation rows together, for as many "
        "passes. auto: for a classifier with fewer than 2,000 rows, where the rows held out are missed.",
    )
    checkpoint_seconds: float = Field(20, ge=0, description="At most this many seconds of training are lost by a kill.")
    activation_checkpointing: bool | Auto = Field(
        "auto",
        description="Keep a layer's input alone for its gradient and compute the layer again: the same numbers, "
        "slower, in much less memory. auto: where the memory that is free here asks for it.",
    )
    forgetting: bool = Field(
        True,
        description="Measure whether training a language model cost it general ability: its loss on the base's own "
        "answers to general prompts, before and after. The base is asked once, which takes some seconds.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of products and frozen weights; what is trained is kept in float32. auto: measured."
    )
