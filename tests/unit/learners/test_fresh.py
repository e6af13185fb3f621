"""A fresh model and its tokenizer: what was asked for, the same each time, and loaded by plain transformers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import InputError
from tunesmith.example import Message, Source, make_example
from tunesmith.learners.causal_lm.byte_level_bpe import BYTES, SPECIAL
from tunesmith.learners.causal_lm.encode import ConversationEncoder, load_tokenizer
from tunesmith.learners.causal_lm.fresh import make
from tunesmith.learners.causal_lm.shape import Shape, shape_for
from tunesmith.learners.protocol import Refusal
from tunesmith.products import GoalSheet

ROOT = Path(__file__).parents[3]
TEXTS = [f"The parcel number {number} left the house on day {number % 7}, said Fern." for number in range(400)]
GOAL = GoalSheet("text", "text", "Answer kindly.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fresh") / "model"
    made.mkdir()
    make(made, TEXTS, parameters=60_000, vocabulary=400, context=64, seed=3)
    return made


@pytest.fixture(scope="module")
def encoder(folder: Path) -> ConversationEncoder:
    return ConversationEncoder(load_tokenizer(folder), GOAL, 64, documents=True)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_text_and_seed_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    found = {}
    for name, seed in (("same", 3), ("other", 4)):
        (tmp_path / name).mkdir()
        make(tmp_path / name, TEXTS, parameters=60_000, vocabulary=400, context=64, seed=seed)
        found[name] = hashes(tmp_path / name)
    assert len(found["same"]) >= 5
    assert found["same"] == hashes(folder)
    assert {name for name in found["same"] if found["same"][name] != found["other"][name]} == {"model.safetensors"}


def test_the_tokenizer_does_not_depend_on_the_threads_that_make_it() -> None:
    code = (
        "from tunesmith.learners.causal_lm.byte_level_bpe import train_tokenizer\n"
        "texts = [f'word {n % 97} and {n * n} more of {n % 13}' for n in range(5000)]\n"
        "print(train_tokenizer(texts, 600).to_str())"
    )
    said = set()
    for threads in ("1", "2"):
        switches = {"RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code]
        said.add(
            subprocess.run(command, env={**os.environ, **switches}, capture_output=True, text=True, check=True).stdout
        )
    assert len(said) == 1
    assert "word" in said.pop()


def test_the_weights_are_as_the_field_begins(folder: Path) -> None:
    """Normal with a standard deviation of 0.02, less where they are added to the residual stream; norms are one."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    layers = model.model.layers
    assert layers[0].self_attn.q_proj.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert model.get_input_embeddings().weight.std().item() == pytest.approx(0.02, rel=0.1)
    for into_residual in (layers[0].self_attn.o_proj, layers[0].mlp.down_proj):
        assert into_residual.weight.std().item() == pytest.approx(0.02 / (2 * len(layers)) ** 0.5, rel=0.1)
    assert torch.equal(layers[0].input_layernorm.weight, torch.ones(model.config.hidden_size))
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert (model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id) == (1, 2, 0)


@given(text=st.text())
@settings(deadline=None)
def test_every_text_can_be_written_and_is_read_back(encoder: ConversationEncoder, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    tokens = encoder._tokens(text)
    assert encoder.tokenizer.decode(tokens, skip_special_tokens=False) == text


def test_plain_transformers_loads_it_and_writes_on(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Where is it?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    assert tokenizer.decode(inputs["input_ids"][0]) == "<|user|>Where is it?<|end|><|assistant|>"
    assert model.generate(**inputs, do_sample=False, max_new_tokens=4).shape[1] > inputs["input_ids"].shape[1]
    assert len(tokenizer) == model.config.vocab_size <= 400


def test_a_conversation_is_trained_in_its_answer_and_a_document_whole(encoder: ConversationEncoder) -> None:
    answered = encoder.encode(make_example([Message.of("user", "Hi"), Message.of("assistant", "Yes.")], Source("t", 1)))
    assert not isinstance(answered, Refusal)
    assert encoder.pieces(answered) == [
        ("<|system|>Answer kindly.<|end|><|user|>Hi<|end|><|assistant|>", False),
        ("Yes.<|end|>", True),
    ]
    text = make_example([Message.of("assistant", "The parcel left.")], Source("t", 2))
    whole = encoder.encode(text)
    assert not isinstance(whole, Refusal)
    assert encoder.pieces(whole) == [("<|start|>", False), ("The parcel left.<|end|>", True)]
    assert encoder.prompt_tokens(text.messages) == whole.tokens[:-1]


def test_a_base_that_knows_its_own_beginnings_refuses_documents(folder: Path) -> None:
    other = ConversationEncoder(load_tokenizer(folder), GOAL, 64)
    refusal = other.encode(make_example([Message.of("assistant", "The parcel left.")], Source("t", 2)))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "document"


@pytest.mark.parametrize(("parameters", "vocabulary"), [(100_000, 512), (1_000_000, 2048), (124_000_000, 32_768)])
def test_a_shape_has_as_many_parameters_as_it_says(parameters: int, vocabulary: int) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = shape_for(parameters, vocabulary)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == shape.parameters


@given(parameters=st.integers(300_000, 10**10), vocabulary=st.integers(264, 4096))
def test_a_shape_is_near_the_size_that_was_asked_for(parameters: int, vocabulary: int) -> None:
    shape = shape_for(parameters, vocabulary)
    assert shape.parameters == pytest.approx(parameters, rel=0.12)
    assert shape.hidden % shape.heads == 0
    assert shape.layers >= 2


def test_a_vocabulary_too_large_for_the_model_is_refused(tmp_path: Path) -> None:
    assert Shape(2**15, 32, 2).parameters > 10**6
    texts = [f"{word:x}" * 3 for word in range(0, 2**16, 7)] * 2
    with pytest.raises(InputError) as caught:
        make(tmp_path, texts, parameters=20_000, vocabulary=5000, context=64, seed=0)
    assert caught.value.code == "model_too_small"


def test_all_bytes_are_tokens(encoder: ConversationEncoder) -> None:
    assert len(SPECIAL) + BYTES <= len(encoder.tokenizer)
    assert encoder._tokens("\x00\u00ff\U0010ffff")
