"""The two offline bases as they are: fetched with pip, converted, loaded with plain transformers."""

from __future__ import annotations

import json

from tunesmith import base_folder, catalog
from tunesmith.base_folder import count_parameters


def test_real_conversion_of_smollm2_is_whole_and_as_the_catalogue_says(smollm2):
    base_folder.verify(smollm2.folder, full=True)
    entry = catalog.find("smollm2-135m-instruct")
    config = json.loads((smollm2.folder / "config.json").read_text())
    assert count_parameters(smollm2.folder) == smollm2.parameters == entry.parameters == 134_515_008
    assert config["max_position_embeddings"] == smollm2.context == 8192
    assert "quantization_config" not in config
    assert (smollm2.folder / "generation_config.json").is_file()
    assert (smollm2.folder / "chat_template.jinja").is_file()


def test_real_conversion_of_minilm_is_whole_and_as_the_catalogue_says(minilm):
    base_folder.verify(minilm.folder, full=True)
    entry = catalog.find("all-minilm-l6-v2")
    assert count_parameters(minilm.folder) == minilm.parameters == entry.parameters == 22_713_216
    assert base_folder.weights_sha256(minilm.folder) == minilm.sha256
    assert (minilm.folder / "1_Pooling" / "config.json").is_file()


def test_real_tokenizer_of_smollm2_splits_digits_first(smollm2):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder)
    assert tokenizer("a  5 b").tokens() == ["a", "ĠĠ", "5", "Ġb"]
    assert tokenizer("\n\n7").tokens() == ["ĊĊ", "7"]
    assert tokenizer.model_max_length == 8192
    text = "Order 2041: 3 × café — “ok”\n\n\t  12.5 €"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert rendered.startswith("<|im_start|>system\n")
    assert rendered.endswith("<|im_start|>user\nHi<|im_end|>\n")


def test_real_smollm2_answers_a_question(smollm2):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.folder)
    model = AutoModelForCausalLM.from_pretrained(smollm2.folder, dtype=torch.float32).eval()
    messages = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    tokens = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        answer = model.generate(**tokens, max_new_tokens=8, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, tokens["input_ids"].shape[1] :])


def test_real_minilm_finds_the_nearer_sentence(minilm):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm.folder)
    model = AutoModel.from_pretrained(minilm.folder).eval()
    sentences = ["My card was stolen.", "Someone took my bank card.", "I like hiking in spring."]
    tokens = tokenizer(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**tokens).last_hidden_state  # [3, length, 384]
    mask = tokens["attention_mask"].unsqueeze(-1)
    vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.6
    assert far < 0.2
