"""Topics by a few examples, with the real encoder."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import numpy as np
import pytest

from tests.repo.modules import ROOT
from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Guard, Stopped, Task
from tunesmith.deployment.rules.build import Surroundings, build
from tunesmith.deployment.rules.settings import RuleSettings
from tunesmith.deployment.rules.topics import MOST_PIECES, Encoder, Fit, among, fit, nearness, pieces_of
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.products import BaseModel

LEGAL = [
    "I will sue your company.",
    "My lawyer will contact you about damages.",
    "Can I take you to court over this?",
    "What are my legal rights against you?",
]


@pytest.fixture(scope="module")
def inputs() -> list[str]:
    with (ROOT / "examples" / "support-desk" / "tickets.csv").open(encoding="utf-8") as file:
        return [row["message"] for row in csv.DictReader(file)][:60]


def refused(guard: Guard, *texts: str) -> bool:
    messages = tuple(Message.of("user", text) for text in texts)
    try:
        asyncio.run(guard.before(messages, Exchange("req", "/", "first")))
    except Stopped:
        return True
    return False


def test_texts_that_mean_what_the_examples_mean_are_told_from_the_work(
    minilm: BaseModel, inputs: list[str], tmp_path: Path
) -> None:
    said: list[str] = []
    kept = tmp_path / "serve" / "topics.json"
    given = Surroundings(tmp_path, (minilm.folder, minilm.sha256), lambda: inputs, "split-1", kept, said.append)
    rule = RuleSettings(name="legal", topics=LEGAL, where="both")
    guard = build([rule], given)
    assert refused(guard, "My solicitor is writing to you about compensation.")
    assert refused(guard, "Hello.", "I am going to see you in court!", "And where is my parcel?")
    assert refused(guard, f"{'The tent came and it is green. ' * 60} I will file a lawsuit against you.")
    assert not refused(guard, "Are the rain trousers fine for cycling?")
    assert sum(refused(guard, text) for text in inputs) <= 2
    assert "threshold 0." in said[0]
    assert "of 60 training inputs are over it" in said[0]

    async def answer(text: str) -> str | None:
        window = guard.around(Exchange("req", "/", "first"), Task())
        assert window.add(text) == ""
        await window.end()
        return window.stopped.text if window.stopped else None

    assert asyncio.run(answer("You should sue us in court.")) is not None
    assert asyncio.run(answer("The trousers have a snap tab.")) is None

    def no_inputs() -> list[str]:
        raise AssertionError("the fit was kept")

    again = Surroundings(tmp_path, (minilm.folder, minilm.sha256), no_inputs, "split-1", kept, said.append)
    build([rule], again)
    assert said[1] == said[0]


def test_a_threshold_needs_inputs_or_is_given(minilm: BaseModel, tmp_path: Path) -> None:
    given = Surroundings(tmp_path, (minilm.folder, minilm.sha256))
    with pytest.raises(InputError, match="no training inputs"):
        build([RuleSettings(name="legal", topics=LEGAL)], given)
    assert refused(build([RuleSettings(name="legal", topics=LEGAL, threshold=0.9)], given), LEGAL[0])


def test_the_threshold_lets_the_work_through_even_where_the_examples_are_like_it() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(400, 16)).astype(np.float32)
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)

    def fitted(examples: np.ndarray, others: np.ndarray) -> Fit:
        return fit(among(np.split(examples, len(examples))), nearness(np.split(others, len(others)), examples))

    apart = fitted(np.eye(16, dtype=np.float32)[:1] + 0.01 * generator.normal(size=(5, 16)).astype(np.float32), inputs)
    assert (apart.known, apart.stands_out) == (5, True)
    alike = fitted(inputs[:5], inputs[5:])
    assert alike.over <= 0.005 * alike.inputs
    assert not alike.stands_out


def test_texts_are_read_sentence_by_sentence() -> None:
    assert pieces_of("Hello. Where is my tent? I will sue you, said he.\nBye") == [
        "Hello. Where is my tent?",
        "I will sue you, said he.",
        "Bye",
    ]
    text = " ".join(f"word{number}" for number in range(1000))
    assert " ".join(pieces_of(text)) == text
    assert len(pieces_of("x" * 1_000_000)) == MOST_PIECES
    assert pieces_of("") == [""]


def test_a_client_that_goes_takes_no_other_clients_answer_with_it(minilm: BaseModel) -> None:
    encoder = Encoder(minilm.folder)
    first = encoder.vectors(["the one that is computed while the others come"])
    gone, stays = encoder.vectors(["this client goes"]), encoder.vectors(["this one stays"])
    gone.cancel()
    assert len(stays.result(timeout=60)) == 1
    assert len(first.result(timeout=60)) == 1
