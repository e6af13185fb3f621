"""ONNX through ONNX Runtime: a classifier as one file that answers without torch or transformers."""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunesmith.errors import MissingExtra

FILE = "model.onnx"
NEEDS = ("onnx", "onnxruntime", "onnxscript")


def require() -> str:
    """The installed version. Raises MissingExtra when a part is missing."""
    from importlib.metadata import version

    for package in NEEDS:
        if find_spec(package) is None:
            raise MissingExtra(package, "onnx")
    return f"onnxruntime {version('onnxruntime')}"


def write(model: Path, file: Path, precision: str) -> None:
    """Write the sequence classifier in the folder ``model`` as ``file``.

    Inputs ``input_ids`` and ``attention_mask``, int64 [rows, tokens], of any size; output ``logits``, float32
    [rows, labels]. With ``int8`` the weights of matrix products are 8-bit integers, a scale a column.
    """
    require()
    whole = file if precision == "float32" else file.with_name("float32.onnx")
    with _quiet():
        _trace(model, whole)
        if precision == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantize_dynamic(whole, file, weight_type=QuantType.QInt8, per_channel=True)
            whole.unlink()


def _trace(model: Path, file: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = AutoModelForSequenceClassification.from_pretrained(
                model, local_files_only=True, use_safetensors=True, dtype=torch.float32, attn_implementation="eager"
            )

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            return self.inner(input_ids=input_ids, attention_mask=attention_mask).logits

    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    ids = torch.ones(2, 8, dtype=torch.long)
    torch.onnx.export(
        Logits().eval(),
        (ids, ids.clone()),
        file,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes={"input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters say to their own developers out of the user's terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class OnnxClassifier:
    """The classifier in a folder with model.onnx, tokenizer.json and config.json."""

    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        self.labels = [labels[str(number)] for number in range(len(labels))]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            folder / FILE, sess_options=options, providers=["CPUExecutionProvider"]
        )

    def prompt_tokens(self, text: str) -> list[int]:
        """Token ids of a text, special tokens included."""
        return list(self.tokenizer.encode(text).ids)

    def classify(self, texts: Sequence[str]) -> list[tuple[dict[str, float], float]]:
        """The probability of each label of each text, and the seconds it took."""
        import numpy as np

        found = []
        for text in texts:
            began = time.perf_counter()
            ids = np.array([self.prompt_tokens(text)], dtype=np.int64)  # (1, S)
            told = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            logits = np.asarray(self.session.run(["logits"], told)[0][0], dtype=np.float64)  # (C,)
            odds = np.exp(logits - logits.max())
            scores = dict(zip(self.labels, (odds / odds.sum()).tolist(), strict=True))
            found.append((scores, time.perf_counter() - began))
        return found
