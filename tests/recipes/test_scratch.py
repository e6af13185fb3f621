"""A model of nothing but the user's rows, from the settings to an answer, by the command line."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.products import Dataset

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "examples" / "support-desk"
CHAT = """\
version: 1
name: scratch
goal:
  input: text
  output: json
  system: Answer with a category, an urgency and a reply.
  schema: {schema}
  success: [{{metric: valid_json, at_least: 0.9}}]
base: {{model: scratch, parameters: 300k, vocabulary: 1024, context: 256}}
collect:
  - {{path: {tickets}, input: message, output: [category, urgency, reply]}}
train: {{epochs: 1, validations: 2, precision: float32}}
test: {{resamples: 1000, max_new_tokens: 80, worst: 3, raccoon: {{rows_per_family: 1}}}}
"""
TEXT = """\
version: 1
name: texts
goal: {input: text, output: text, success: [{metric: token_accuracy, at_least: 0.1}]}
base: {model: scratch, parameters: 100k, vocabulary: 512, context: 512}
collect:
  - {path: voice.txt, passage: 300}
train: {epochs: 1, batch_size: 4, learning_rate: 0.008, validations: 1, precision: float32}
test: {resamples: 1000, worst: 2}
"""


def entropy_of_frequencies(dataset: Dataset, train: list[str], validation: list[str]) -> float:
    """What a validation token costs by the frequencies of trained tokens alone, each seen once more; in nats."""
    targets = {
        part: [
            token
            for row in dataset.rows(set(ids))
            for token, trained in zip(row.tokens, row.trained, strict=True)
            if trained
        ]
        for part, ids in (("train", train), ("validation", validation))
    }
    counts = Counter(targets["train"])
    total = counts.total() + max(counts) + 1
    return -sum(math.log((counts[token] + 1) / total) for token in targets["validation"]) / len(targets["validation"])


def test_rows_become_a_model_that_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = CHAT.format(schema=TICKETS / "ticket.schema.json", tickets=TICKETS / "tickets.csv")
    (tmp_path / "tunesmith.yaml").write_text(settings)
    assert main(["run", str(tmp_path)]) in (0, 3), capsys.readouterr().out
    project = Project.open(tmp_path)
    assert {status.state for status in project.status()} == {"made"}
    base, dataset, split, tuned, report = (project.product(s) for s in ("base", "format", "split", "train", "test"))

    assert base.from_scratch
    assert base.parameters == pytest.approx(300_000, rel=0.1)
    assert tuned.recipe["method"] == "full"
    assert tuned.recipe["schedule"] == "cosine"
    losses = [point["validation_loss"] for point in tuned.curve if "validation_loss" in point]
    assert losses[0] == pytest.approx(math.log(1024), rel=0.05)  # it knows nothing yet
    assert min(losses) < 0.75 * entropy_of_frequencies(dataset, split.ids("train"), split.ids("validation"))

    assert set(report.scores) == {
        "commonest answer",
        "tuned",
        "commonest answer, schema enforced",
        "tuned, schema enforced",
    }
    enforced = [row["tuned, schema enforced"] for row in report.predictions()]
    whole = [json.loads(answer["answer"]) for answer in enforced if answer["finished"]]
    assert len(whole) >= 5  # the schema is enforced with a tokenizer that nobody knew before
    assert all(set(answer) == {"category", "urgency", "reply"} for answer in whole)
    assert "always giving the commonest value of each field" in report.verdict["comparison"]["words"]
    assert "Always the commonest answer" in report.html.read_text()

    capsys.readouterr()
    assert main(["ask", "My tent pegs are missing.", "--json", "--project", str(tmp_path)]) == 0
    [answer] = json.loads(capsys.readouterr().out)["answers"]
    assert answer["candidate"] == "tuned"
    assert answer["text"].startswith('{"category"')  # the form is what is learned first
    assert main(["run", str(tmp_path)]) in (0, 3)
    assert "nothing to do" in capsys.readouterr().out
    answers_alike(project, "My tent pegs are missing.", answer["text"])


def answers_alike(project: Project, question: str, ours: str) -> None:
    """The model's folder alone, loaded by plain transformers, gives the answer that `ask` gave."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = project.product("train").folder
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    messages = [
        {"role": "system", "content": (folder / "system_prompt.txt").read_text().strip()},
        {"role": "user", "content": question},
    ]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    room = len(tokenizer(ours)["input_ids"]) + 1
    output = model.generate(**inputs, do_sample=False, max_new_tokens=room)
    assert tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).startswith(ours)
    card = (folder / "README.md").read_text()
    assert "Trained from scratch" in card
    assert "base_model" not in card


def test_text_becomes_a_model_that_goes_on_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (ROOT / "examples" / "brand-voice" / "products.jsonl").read_text().splitlines()
    (tmp_path / "voice.txt").write_text("\n\n".join(json.loads(line)["completion"] for line in lines))
    (tmp_path / "tunesmith.yaml").write_text(TEXT)
    assert main(["run", str(tmp_path)]) in (0, 3), capsys.readouterr().out
    project = Project.open(tmp_path)
    report = project.product("test")
    scores = {name: {score.metric: score for score in found} for name, found in report.scores.items()}
    assert list(scores) == ["token frequencies", "tuned"]
    ours, theirs = (scores[name]["bits_per_byte"] for name in ("tuned", "token frequencies"))
    assert 0 < ours.low < ours.value < theirs.value < 8
    assert scores["tuned"]["token_accuracy"].value > scores["token frequencies"]["token_accuracy"].value
    assert report.verdict["comparison"]["code"] == "better"
    page = report.html.read_text()
    assert "bits per byte" in page
    assert "goes on" not in page
    capsys.readouterr()
    assert main(["ask", "Lay the table", "--json", "--project", str(tmp_path)]) == 0
    [answer] = json.loads(capsys.readouterr().out)["answers"]
    assert answer["text"]
    assert main(["format", "--show", "1", "--project", str(tmp_path)]) == 0
    assert "<|start|>«" in capsys.readouterr().out


def test_the_test_part_changes_nothing_in_the_model_before_training(tmp_path: Path) -> None:
    """Tokenizer and weights are made of the training part: with other test and validation rows they are the same."""
    made = set()
    for name, words in (("one", "a kettle of copper"), ("other", "чайник из меди")):
        folder = tmp_path / name
        folder.mkdir()
        for part, text in (("train", "the parcel left on day"), ("validation", words), ("test", words[::-1])):
            rows = ({"prompt": f"{text} {number * 7919}", "completion": f"{text} {number}"} for number in range(30))
            (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        sources = "".join(f"  - {{path: {part}.jsonl, part: {part}}}\n" for part in ("train", "validation", "test"))
        (folder / "tunesmith.yaml").write_text(
            "name: parts\ngoal: {output: text}\nbase: {model: scratch, parameters: 50k, vocabulary: 300, context: 64}\n"
            f"collect:\n{sources}"
        )
        result = Project.open(folder).run(to="base")
        assert result.made == ["collect", "goal", "clean", "split", "base"]
        assert result.base is not None
        made.add((result.base.source, result.base.sha256))
    assert len(made) == 1
