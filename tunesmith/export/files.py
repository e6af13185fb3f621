"""Write a trained model in one form: all files of its folder but the certificate."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunesmith.artifact import write_text
from tunesmith.export import ollama
from tunesmith.export.forms import Form
from tunesmith.products import BaseModel, GoalSheet, TunedModel

#: What the form's files say that was not tried here.
OLLAMA_NOTE = (
    "Ollama itself was not run: the GGUF was, by llama.cpp, which Ollama is built on; the Modelfile's template was "
    "compared with the model's own on conversations of two to six turns."
)
UPSTREAM_NOTES = {
    "vllm": "The upstream was asked by token ids, the very ones of training, and told those of its answers.",
    "openai": (
        "The upstream was asked by messages and tells no token ids: the texts of answers were compared, and how many "
        "tokens a prompt has where it says so. That its prompts are those of training is not proven."
    ),
}
VLLM_NOTE = "vLLM itself was not run: the folder was, by transformers; `serve.sh` has the command."


def write_files(
    form: Form,
    learner: Any,
    base: BaseModel,
    goal: GoalSheet,
    tuned: TunedModel,
    folder: Path,
    *,
    name: str,
    context: int,
    limit: int,
    cache: Path,
) -> tuple[str, ...]:
    """Write the form to ``folder``; returns notes for the certificate. ``limit``: tokens of the longest answer."""
    if form.upstream is not None:
        return (UPSTREAM_NOTES[form.upstream.kind],)
    if form.to in ("hf", "vllm"):
        learner.whole.save_whole(base, goal, tuned, folder)
        if form.to == "vllm":
            write_text(folder / "serve.sh", vllm_command(name, context))
            (folder / "serve.sh").chmod(0o755)
            return (VLLM_NOTE,)
        return ()
    whole = folder / ".whole"
    learner.whole.save_whole(base, goal, tuned, whole)
    try:
        if form.to == "onnx":
            _onnx(form, whole, folder)
            return ()
        gguf = folder / f"{name}-{form.precision}.gguf"
        _gguf(form.precision, whole, gguf, cache)
        _copy(whole, folder, ("README.md", "system_prompt.txt", "answer.schema.json"))
        if form.to == "ollama":
            turns = ollama.turns_of(_renderer(whole))
            write_text(folder / "Modelfile", ollama.modelfile(turns, gguf.name, goal.system, context, limit))
            return (OLLAMA_NOTE,)
        return ()
    finally:
        shutil.rmtree(whole)


def _onnx(form: Form, whole: Path, folder: Path) -> None:
    from tunesmith.engines import onnx_runtime

    onnx_runtime.write(whole, folder / onnx_runtime.FILE, form.precision)
    _copy(whole, folder, ("README.md", "config.json", "tokenizer.json", "tokenizer_config.json"))


def _gguf(precision: str, whole: Path, gguf: Path, cache: Path) -> None:
    from tunesmith.engines import gguf_converter, gguf_quantise

    if precision in gguf_converter.PRECISIONS:
        gguf_converter.convert(whole, gguf, precision, cache)
        return
    exact = gguf.with_name(".exact.gguf")
    gguf_converter.convert(whole, exact, "f32", cache)
    gguf_quantise.quantise(exact, gguf, precision)
    exact.unlink()


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def _renderer(folder: Path) -> ollama.Render:
    """The chat template of a folder at work, given a system prompt of one's own."""
    from tunesmith.engines.transformers_folder import renderer

    return renderer(folder)


def vllm_command(name: str, context: int) -> str:
    """A shell script that serves the folder it lies in with vLLM."""
    options = f"--served-model-name {name} --max-model-len {context} --generation-config vllm"
    return (
        "#!/bin/sh\n"
        "# pip install vllm; the chat template in this folder adds the goal's system prompt where a request has none.\n"
        f'exec vllm serve "$(dirname "$0")" {options} "$@"\n'
    )


def model_bytes(folder: Path) -> int:
    """Bytes of the model's own files."""
    endings = (".gguf", ".safetensors", ".onnx")
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in endings)


def facts(base: BaseModel, tuned: TunedModel) -> Mapping[str, Any]:
    """What the certificate says of where the model came from."""
    told = {"model": tuned.folder.parent.name, "learner": tuned.learner, "method": tuned.recipe["method"]}
    return {**told, "base": base.name, "base_sha256": base.sha256}
