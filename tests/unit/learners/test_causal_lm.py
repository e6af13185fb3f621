"""The causal learner with the real model: what it saves, plain transformers and peft answer alike."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch

from tunesmith.example import Message, Source, make_example
from tunesmith.learners.causal_lm import encode, load, predict
from tunesmith.learners.protocol import Refusal
from tunesmith.products import GoalSheet, TunedModel
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.ranks import ALONE
from tunesmith.training.tree_packing import trees
from tunesmith.workers import Workers

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["delivery", "refund", "billing"]},
        "urgent": {"type": "boolean"},
    },
    "required": ["category", "urgent"],
    "additionalProperties": False,
}
GOAL = GoalSheet("text", "json", "Answer with one JSON object.", (), SCHEMA)
QUESTIONS = [
    "Where is my parcel?",
    "I was charged twice for one tent, please give me my money back today.",
    "hi",
    "The zip of my sleeping bag broke on the first night out and I am cold and cross.",
]
RECIPE = {
    "method": "lora",
    "precision": "float32",
    "activation_checkpointing": False,
    "rank": 8,
    "alpha": 16,
    "dropout": 0.0,
    "seed": 0,
}


def row(question: str, answer: str, number: int = 1, rejected: str | None = None):
    messages = [Message.of("user", question), Message.of("assistant", answer)]
    return make_example(messages, Source("test", number), rejected=rejected)


def prompts() -> list[tuple[Message, ...]]:
    return [(Message.of("user", question),) for question in QUESTIONS]


@pytest.fixture(scope="module")
def tuned(smollm2, tmp_path_factory) -> TunedModel:
    """A real adapter, trained for a few steps on four rows, so that it differs from the base."""
    folder = tmp_path_factory.mktemp("tuned") / "model"
    folder.mkdir()
    model = load.prepare(smollm2, GOAL, RECIPE, [])
    encoder = encode.encoder(smollm2, GOAL, 512)
    answer = json.dumps({"category": "refund", "urgent": True})
    rows = [encoder.encode(row(question, answer, number)) for number, question in enumerate(QUESTIONS)]
    optimizer = torch.optim.AdamW(model.parameter_groups(5e-3, 0.0))
    losses = []
    for _ in range(4):
        for tree in trees(rows, 512):
            losses.append(model.gradients([tree], tree.weight, Workers(1), ALONE).mean_loss)
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    model.save(folder)
    return TunedModel(folder, "causal_lm", {}, (), {}, {})


def test_plain_transformers_and_peft_give_the_same_answers(smollm2, tuned):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours = predict.predict("tuned", smollm2, GOAL, tuned, prompts(), max_new_tokens=24)
    tokenizer = AutoTokenizer.from_pretrained(tuned.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(smollm2.folder, dtype=torch.float32)
        model = PeftModel.from_pretrained(base, tuned.folder).eval()
    system = (tuned.folder / "system_prompt.txt").read_text().strip()
    theirs = []
    for question in QUESTIONS:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output = model.generate(**inputs, do_sample=False, max_new_tokens=24)
        text = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        theirs.append(text.strip())
    assert [answer.text for answer in ours] == theirs
    base_answers = predict.predict("base", smollm2, GOAL, tuned, prompts(), max_new_tokens=24)
    assert [answer.text for answer in base_answers] != theirs


def test_the_folder_holds_what_the_ecosystem_expects(tuned, smollm2):
    names = {path.name for path in tuned.folder.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "README.md"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    card = (tuned.folder / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "base_model:" in card
    assert smollm2.sha256 in card
    assert json.loads((tuned.folder / "answer.schema.json").read_text()) == SCHEMA


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch(smollm2, tuned):
    together = predict.predict("tuned", smollm2, GOAL, tuned, prompts(), max_new_tokens=12)
    alone = [predict.predict("tuned", smollm2, GOAL, tuned, [p], max_new_tokens=12)[0] for p in prompts()]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    for left, right in zip(together, alone, strict=True):
        assert left.confidence == pytest.approx(right.confidence, abs=1e-4)
        assert 0 < left.confidence <= 1


@pytest.mark.parametrize("candidate", ["base", "tuned"])
def test_enforced_answers_fit_the_schema(smollm2, tuned, candidate):
    import jsonschema

    answers = predict.predict(candidate, smollm2, GOAL, tuned, prompts(), max_new_tokens=40, enforce_schema=True)
    assert len(answers) == len(QUESTIONS)
    for answer in answers:
        assert answer.finished
        jsonschema.validate(json.loads(answer.text), SCHEMA)
        assert "category" in answer.field_confidence
        assert all(0 < sure <= 1 for sure in answer.field_confidence.values())


def test_the_prompt_is_tokenized_alike_in_training_and_prediction(smollm2):
    encoder = encode.encoder(smollm2, GOAL, 512)
    for question in [*QUESTIONS, "a  5\n\n7", "日本語 🎉", "<|im_end|> sneaky"]:
        example = row(question, '{"category": "refund"}')
        encoded = encoder.encode(example)
        assert not isinstance(encoded, Refusal)
        assert encoded.tokens[: encoded.prompt_tokens] == encoder.prompt_tokens(example.prompt)


def test_only_the_answer_and_its_end_token_are_trained(smollm2):
    encoder = encode.encoder(smollm2, GOAL, 512)
    encoded = encoder.encode(row("Where is my parcel?", "On its way."))
    pieces = encoder.pieces(encoded)
    assert [trained for _, trained in pieces] == [False, True]
    assert pieces[1][0] == "On its way.<|im_end|>"
    assert "Answer with one JSON object." in pieces[0][0]


def test_every_answer_of_a_conversation_is_trained(smollm2):
    encoder = encode.encoder(smollm2, GOAL, 512)
    turns = [("user", "Hello"), ("assistant", "Hi."), ("user", "Parcel?"), ("assistant", "Tomorrow.")]
    example = make_example([Message.of(role, text) for role, text in turns], Source("test", 1))
    pieces = encoder.pieces(encoder.encode(example))
    assert [text for text, trained in pieces if trained] == ["Hi.<|im_end|>", "Tomorrow.<|im_end|>"]


def test_rows_that_do_not_fit_are_refused_never_cut(smollm2):
    encoder = encode.encoder(smollm2, GOAL, 64)
    refusal = encoder.encode(row("word " * 200, "Yes."))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "too_long"
    refusal = encoder.encode(row("Hello", ""))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "no_target"


def test_the_fused_adapter_computes_what_peft_computes(smollm2, monkeypatch):
    encoder = encode.encoder(smollm2, GOAL, 512)
    rows = [encoder.encode(row(question, '{"urgent": true}', n)) for n, question in enumerate(QUESTIONS[:2])]
    [tree] = trees(rows, 512)
    found = {}
    for name in ("own layers", "fused", "peft"):
        if name == "peft":
            monkeypatch.setattr(load, "fuse", lambda model: 0)
        model = load.prepare(smollm2, GOAL, RECIPE, rows if name == "own layers" else [])
        assert (model.layers is not None) == (name == "own layers")
        generator = torch.Generator().manual_seed(1)
        for parameter in model.trained_state().values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
        told = model.gradients([tree], 1.0, Workers(1), ALONE)
        found[name] = (told.loss, {key: p.grad for key, p in model._named()})
    for name in ("own layers", "fused"):
        assert found[name][0] == pytest.approx(found["peft"][0], rel=1e-5)
        assert len(found[name][1]) == 2 * 7 * 30
        for key, gradient in found[name][1].items():
            expected = found["peft"][1][key]
            assert (gradient - expected).norm() <= 1e-3 * expected.norm() + 1e-6, key


def test_a_tuned_folder_has_no_path_that_a_pickle_could_take(tuned):
    from safetensors import safe_open

    with safe_open(Path(tuned.folder) / "adapter_model.safetensors", "pt") as file:
        assert len(list(file.keys())) == 2 * 7 * 30


@pytest.mark.parametrize(
    "method", ["lora", pytest.param("dora", marks=pytest.mark.slow)]
)  # our own layers, and transformers' code
def test_preferences_are_learned_from_rejected_answers(smollm2, method):
    encoder = encode.encoder(smollm2, GOAL, 512)
    rows = [encoder.encode(row(question, "Certainly not.", n, "Of course!")) for n, question in enumerate(QUESTIONS)]
    recipe = {**RECIPE, "method": method, "objective": "dpo", "beta": 0.1}
    model = load.prepare(smollm2, GOAL, recipe, rows)
    assert (model.layers is not None) == (method == "lora")
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-3, 0.0))
    losses = []
    with Workers(2) as workers:
        for _ in range(4):
            batches = preference_trees(rows, 512, 2)
            assert len(batches) == 2
            told = model.gradients(batches, len(rows), workers, ALONE)
            assert set(told.rows) == {one.id for one in rows}
            losses.append(told.mean_loss)
            optimizer.step()
            optimizer.zero_grad()
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)  # the model is its own reference: log 2
    assert losses[-1] < 0.6
    found = [model.measure(tree) for tree in preference_trees(rows, 512)]
    assert sum(one.right for one in found) == len(rows)


def test_a_rejected_answer_is_rendered_as_the_chosen_one_is(smollm2):
    encoder = encode.encoder(smollm2, GOAL, 512)
    both = encoder.encode(row("Hello", "Yes.", 1, "No."))
    assert both.tokens == encoder.encode(row("Hello", "Yes.")).tokens
    assert both.rejected == encoder.encode(row("Hello", "No.")).tokens
    assert sum(both.rejected_trained) == sum(encoder.encode(row("Hello", "No.")).trained)
    refusal = encoder.encode(row("Hello", "Yes.", 1, ""))
    assert isinstance(refusal, Refusal)
    assert refusal.evidence.startswith("with the rejected answer: ")


def test_the_mask_of_a_schema_holds_exactly_the_tokens_that_can_follow(smollm2):
    from tunesmith.learners.causal_lm.grammar import JsonGrammar

    tokenizer = encode.load_tokenizer(smollm2.folder)
    size = len(tokenizer)
    grammar = JsonGrammar(tokenizer, size, SCHEMA)
    matchers = [grammar.start(), grammar.start()]
    begun = tokenizer('{"category": "re', add_special_tokens=False)["input_ids"]
    for token in begun:
        grammar.accept(matchers[1], token)
    logits = torch.randn(2, size)
    before = logits.clone()
    grammar.mask(matchers, logits)
    assert torch.equal(logits[logits > -torch.inf], before[logits > -torch.inf])
    for row, matcher in enumerate(matchers):
        allowed = set(torch.nonzero(logits[row] > -torch.inf)[:, 0].tolist())
        assert 0 < len(allowed) < 100
        for token in (*sorted(allowed), *range(0, size, 997)):
            fresh = grammar.start()
            for old in begun if row else ():
                grammar.accept(fresh, old)
            assert (fresh.try_consume_tokens([token]) == 1) == (token in allowed), tokenizer.decode([token])
        assert matcher.get_error() == ""


def test_nothing_is_compiled_while_a_schema_is_enforced():
    """torch.compile needs a C++ compiler and half a minute: neither is the user's to give."""
    root = Path(load.__file__).parents[2]
    sources = [path.read_text(encoding="utf-8") for path in root.rglob("*.py")]
    assert len(sources) > 100
    assert not [text for text in sources if "torch.compile(" in text or "import llguidance.torch" in text]
