"""Sentence embeddings: what a text means, as a unit vector.

The mean of an encoder's token states, normalised, as sentence encoders are trained
(Reimers and Gurevych, "Sentence-BERT", EMNLP 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tunesmith.workers import Workers, cores

if TYPE_CHECKING:
    import torch

#: Sentence encoders are trained on texts of at most this many word pieces; what comes after is not looked at.
MOST_TOKENS = 256
#: Texts are sorted by length within blocks of this many, so that batches hold texts of like length.
BLOCK = 8192
#: Tokens of one batch, padding included.
TOKENS_AT_ONCE = 2048

#: Unit vectors ``[texts, dimensions]``.
Vectors = npt.NDArray[np.float16]
Progress = Callable[[int, int], None]


def embed(
    texts: Sequence[str], folder: Path, on_progress: Progress = lambda done, total: None, *, hold: bool = False
) -> Vectors:
    """The vectors ``[texts, dimensions]`` of texts, by the encoder in ``folder`` (Hugging Face form, verified).

    Memory is that of the encoder and 2 bytes a number. ``on_progress`` is told how many texts are done. With ``hold``
    the encoder stays loaded, for those who come again with one text at a time.
    """
    encoder = _held(folder) if hold else _Encoder(folder)
    found = np.zeros((len(texts), encoder.dimensions), np.float16)
    done = 0
    with Workers(cores()) as workers:
        for start in range(0, len(texts), BLOCK):
            rows = encoder.tokens(texts[start : start + BLOCK])
            batches = batches_of([len(row) for row in rows])
            vectors = workers.map(encoder.vectors, [[rows[at] for at in batch] for batch in batches])
            for batch, batch_vectors in zip(batches, vectors, strict=True):
                found[start + np.array(batch)] = batch_vectors
                done += len(batch)
                on_progress(done, len(texts))
    return found


def embed_here(texts: Sequence[str], folder: Path) -> Vectors:
    """The same for a few texts, on this thread alone, by an encoder that stays loaded."""
    encoder = _held(folder)
    return encoder.vectors(encoder.tokens(texts)).astype(np.float16)


def batches_of(lengths: Sequence[int], tokens_at_once: int = TOKENS_AT_ONCE) -> list[list[int]]:
    """Numbers of texts in batches of like length, each of at most ``tokens_at_once`` tokens with its padding."""
    batches: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lambda at: (lengths[at], at)):
        if batches and (len(batches[-1]) + 1) * lengths[at] <= tokens_at_once:
            batches[-1].append(at)
        else:
            batches.append([at])
    return batches


class _Encoder:
    """The model and its tokenizer, for texts of at most `MOST_TOKENS`."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        from tunesmith.learners.fast_linear import use_fast_linears

        logging.disable_progress_bar()
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model: Any = AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        ).eval()
        use_fast_linears(self._model, timed=False)
        self.dimensions = int(self._model.config.hidden_size)
        self._most = min(MOST_TOKENS, int(getattr(self._model.config, "max_position_embeddings", MOST_TOKENS)))

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut at the most that the encoder looks at."""
        writable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # half a surrogate pair
        found = self._tokenizer(
            writable, truncation=True, max_length=self._most, padding=False, return_attention_mask=False, verbose=False
        )
        return [list(row) for row in found["input_ids"]]

    def vectors(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Unit vectors ``[B, D]`` of token rows."""
        import torch
        from torch.nn.functional import normalize

        ids, seen = self._pad(rows)
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=seen).last_hidden_state  # (B, S, D)
            weights = seen[:, :, None].to(states.dtype)
            vectors = normalize((states * weights).sum(1) / weights.sum(1), dim=1)  # (B, D)
        found: npt.NDArray[np.float32] = vectors.numpy()
        return found

    def _pad(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and attention mask, both int64 [B, S]."""
        import torch

        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), int(self._tokenizer.pad_token_id or 0))
        seen = torch.zeros(len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            seen[number, : len(row)] = 1
        return ids, seen


_held = lru_cache(maxsize=1)(_Encoder)
