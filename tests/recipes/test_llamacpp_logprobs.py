"""llama.cpp and the trained model give the same tokens of a text the same probabilities, whatever bytes they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.recipes.tiny_project import rows
from tunesmith.engines import gguf_converter
from tunesmith.engines.llamacpp import LlamaCpp
from tunesmith.learners.causal_lm.byte_level_bpe import save_tokenizer, train_tokenizer
from tunesmith.learners.causal_lm.fresh import ENDS, save_model
from tunesmith.learners.causal_lm.shape import shape_for

TEXT = "日é😀ok"


def write_model_that_says(text: str, folder: Path) -> list[int]:
    """A model in which each token of the text calls for the next, by its output layer alone. Returns the tokens."""
    from transformers import LlamaForCausalLM

    tokenizer = train_tokenizer([row["text"] for row in rows()], 400)
    save_tokenizer(tokenizer, 256, folder)
    ends = {name: tokenizer.token_to_id(token) for name, token in ENDS.items()}
    save_model(shape_for(60_000, tokenizer.get_vocab_size()), ends, 256, 0, folder)
    ids = list(tokenizer.encode(text).ids)
    assert len(set(ids)) == len(ids) > len(text) + 3
    model = LlamaForCausalLM.from_pretrained(folder, tie_word_embeddings=False)
    with torch.no_grad():
        seen = model.model.embed_tokens.weight
        model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(seen))
        for before, after in zip(ids, [*ids[1:], ends["eos_token_id"]], strict=True):
            model.lm_head.weight[after] = 10 * seen[before]
    model.save_pretrained(folder)
    return ids


def test_log_probabilities_of_several_token_characters_are_those_of_the_model(
    tmp_path: Path, bases_cache: Path
) -> None:
    from transformers import LlamaForCausalLM

    ids = write_model_that_says(TEXT, tmp_path / "base")
    gguf_converter.convert(tmp_path / "base", tmp_path / "m.gguf", "f32", bases_cache)
    with LlamaCpp.open(tmp_path / "m.gguf", context=256, threads=1) as engine:
        found = engine.complete(ids[:1], 40)
    assert (found.tokens, found.finished) == (ids[1:], True)
    model = LlamaForCausalLM.from_pretrained(tmp_path / "base", torch_dtype=torch.float32)
    with torch.inference_mode():
        wanted = model(torch.tensor([ids])).logits[0].log_softmax(-1)  # (S, V)
    known = [place for place, one in enumerate(found.logprobs) if one is not None]
    assert len(found.logprobs) == len(found.tokens) > len(known) > 3
    for place in known:
        assert found.logprobs[place] == pytest.approx(float(wanted[place, ids[place + 1]]), abs=1e-3)
