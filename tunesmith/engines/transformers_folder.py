"""A folder in Hugging Face form, run as anyone would run it: transformers' own classes and nothing of ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Prompts of like length are answered together.
ROWS_AT_ONCE = 8


def version() -> str:
    from importlib.metadata import version as version_of

    return f"transformers {version_of('transformers')}"


@dataclass(frozen=True)
class Written:
    """A greedy answer: ``tokens`` and ``logprobs`` without the end token."""

    tokens: list[int]
    text: str
    logprobs: list[float]
    finished: bool
    seconds: float


class CausalFolder:
    """A causal language model in a folder."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        ).eval()

    def prompt_tokens(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Token ids of a conversation by the folder's own chat template."""
        told = self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=True)
        return list(told["input_ids"])

    def complete(
        self, prompts: Sequence[Sequence[int]], limit: int, tell: Callable[[int], None] = lambda done: None
    ) -> list[Written]:
        """Answer the prompts greedily; ``tell`` hears how many are done."""
        found: dict[int, Written] = {}
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        for start in range(0, len(order), ROWS_AT_ONCE):
            batch = order[start : start + ROWS_AT_ONCE]
            found.update(zip(batch, self._batch([prompts[index] for index in batch], limit), strict=True))
            tell(len(found))
        return [found[index] for index in range(len(prompts))]

    def _batch(self, prompts: Sequence[Sequence[int]], limit: int) -> list[Written]:
        import torch

        began = time.perf_counter()
        longest = max(map(len, prompts))
        fill = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        ids = torch.tensor([[fill] * (longest - len(row)) + list(row) for row in prompts])  # (B, S)
        seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
        with torch.inference_mode():
            made = self.model.generate(
                input_ids=ids,
                attention_mask=seen,
                do_sample=False,
                max_new_tokens=limit,
                output_logits=True,
                return_dict_in_generate=True,
                pad_token_id=fill,
            )
        answers = made.sequences[:, longest:].tolist()
        sure = torch.stack([step.float().log_softmax(-1).max(-1).values for step in made.logits], 1).tolist()  # (B, A)
        seconds = (time.perf_counter() - began) / len(prompts)
        return [self._written(row, logprobs, seconds) for row, logprobs in zip(answers, sure, strict=True)]

    def _written(self, row: list[int], logprobs: list[float], seconds: float) -> Written:
        end = self.model.generation_config.eos_token_id
        ends = {self.tokenizer.eos_token_id, *(end if isinstance(end, list) else [end])}
        stop = next((place for place, token in enumerate(row) if token in ends), None)
        tokens = row[:stop]
        text = self.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        return Written(tokens, text, logprobs[: len(tokens)], stop is not None, seconds)


class ClassifierFolder:
    """A sequence classifier in a folder."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model: Any = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        ).eval()
        self.labels = [self.model.config.id2label[number] for number in range(self.model.config.num_labels)]

    def prompt_tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def classify(self, texts: Sequence[str]) -> list[tuple[dict[str, float], float]]:
        """The probability of each label of each text, and the seconds it took."""
        import torch

        found = []
        with torch.inference_mode():
            for text in texts:
                began = time.perf_counter()
                ids = torch.tensor([self.prompt_tokens(text)])  # (1, S)
                odds = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].double().softmax(-1)
                scores = dict(zip(self.labels, odds.tolist(), strict=True))
                found.append((scores, time.perf_counter() - began))
        return found


def renderer(folder: Path) -> Callable[[Sequence[dict[str, str]], bool], str]:
    """What the folder's chat template makes of a conversation; with True, up to where the assistant answers."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def render(messages: Sequence[dict[str, str]], answer: bool) -> str:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=answer))

    return render
