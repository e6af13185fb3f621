"""Replay test rows through an exported form, as a client would ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tunesmith.example import Example, Message, input_of
from tunesmith.export.forms import Form
from tunesmith.learners.protocol import Progress, Replayed
from tunesmith.workers import cores

Prompt = tuple[Message, ...]


class Asked(Protocol):
    """An exported form at work. ``engine`` says what runs it, with its version."""

    engine: str

    def replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]: ...


def chosen_rows(rows: Sequence[Example], count: int) -> list[Example]:
    """At most ``count`` rows in their order: the shortest and the longest input, the others evenly spread."""
    if count >= len(rows):
        return list(rows)
    by_length = sorted(range(len(rows)), key=lambda index: (len(rows[index].input), index))
    step = (len(rows) - 1) / max(1, count - 1)
    chosen = sorted({by_length[round(place * step)] for place in range(count)})
    return [rows[index] for index in chosen]


@contextmanager
def opened(form: Form, folder: Path, *, context: int, wide: bool = False) -> Iterator[Asked]:
    """The exported form, ready to be asked. ``context``: tokens of the longest prompt and its answer. With ``wide``
    llama.cpp computes in float32 with the file's weights, as `tunesmith serve` does."""
    if form.to in ("gguf", "ollama"):
        from tunesmith.engines import llamacpp

        threads = cores()
        [gguf] = folder.glob("*.gguf")
        version = llamacpp.require()
        # each sequence has a thread of its own to wait on; the engine computes them together
        with llamacpp.LlamaCpp.open(
            gguf, context=context, threads=threads, parallel=_STREAMS, wide=wide or form.wide
        ) as engine:
            yield _Served(engine, version)
    elif form.learner == "classifier":
        yield _classifier(form, folder)
    else:
        from tunesmith.engines import transformers_folder

        yield _Folder(transformers_folder.CausalFolder(folder), transformers_folder.version())


_STREAMS = 2


def turns(prompt: Prompt) -> list[dict[str, str]]:
    """A prompt as a client sends it. The system prompt of the goal is not in it: the form must bring it."""
    return [{"role": message.role, "content": message.text} for message in prompt]


class _Served:
    def __init__(self, engine: object, version: str) -> None:
        self._engine, self.engine = engine, version

    def replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]:
        from tunesmith.engines.llamacpp import LlamaCpp

        assert isinstance(self._engine, LlamaCpp)
        engine = self._engine

        def one(prompt: Prompt) -> Replayed:
            ids = engine.prompt_tokens(turns(prompt))
            given = engine.complete(ids, limit)
            return Replayed(
                tuple(ids),
                tuple(given.tokens),
                given.text.strip(),
                given.finished,
                given.seconds,
                tuple(given.logprobs),
            )

        found = []
        with ThreadPoolExecutor(_STREAMS) as pool:
            for answer in pool.map(one, prompts):
                found.append(answer)
                on_progress(len(found), len(prompts))
        return found


class _Folder:
    def __init__(self, model: object, version: str) -> None:
        self._model, self.engine = model, version

    def replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]:
        from tunesmith.engines.transformers_folder import CausalFolder

        assert isinstance(self._model, CausalFolder)
        rows = [self._model.prompt_tokens(turns(prompt)) for prompt in prompts]
        given = self._model.complete(rows, limit, lambda done: on_progress(done, len(rows)))
        return [
            Replayed(tuple(row), tuple(one.tokens), one.text, one.finished, one.seconds, tuple(one.logprobs))
            for row, one in zip(rows, given, strict=True)
        ]


class _Classifier(Protocol):
    def prompt_tokens(self, text: str) -> list[int]: ...

    def classify(self, texts: Sequence[str]) -> list[tuple[dict[str, float], float]]: ...


class _Labels:
    def __init__(self, model: _Classifier, version: str) -> None:
        self._model, self.engine = model, version

    def replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]:
        found = []
        for prompt in prompts:
            text = input_of(prompt)  # as classifiers are trained on it
            [(scores, seconds)] = self._model.classify([text])
            label = max(scores, key=scores.__getitem__)
            ids = tuple(self._model.prompt_tokens(text))
            found.append(Replayed(ids, (), label, True, seconds, scores=scores))
            on_progress(len(found), len(prompts))
        return found


def _classifier(form: Form, folder: Path) -> Asked:
    if form.to == "onnx":
        from tunesmith.engines import onnx_runtime

        return _Labels(onnx_runtime.OnnxClassifier(folder, cores()), onnx_runtime.require())
    from tunesmith.engines import transformers_folder

    return _Labels(transformers_folder.ClassifierFolder(folder), transformers_folder.version())
