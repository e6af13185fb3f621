"""Whether training cost general ability: the base is asked once, and both models are measured on its answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.errors import InputError
from tunesmith.learners.protocol import Prediction, RowOutcome
from tunesmith.plugins import Learner, learner
from tunesmith.products import BaseModel, EncodedRow
from tunesmith.stages.context import Context
from tunesmith.stages.train.forgetting import FEWEST, LITTLE, MUCH, UNTRAINED, general, judge
from tunesmith.stages.train.general_answers import LONGEST, general_rows, prompts
from tunesmith.stages.train.settings import TrainSettings

BASE = BaseModel("tiny", "causal_lm", Path(), 0, 512, "Apache-2.0", ("en",), "test", "ab12", "")


class Asked:
    """A learner whose base gives each prompt back, and cuts every second answer."""

    batches = "tree"

    def __init__(self, template: int = 7) -> None:
        self.times = 0
        self.released = 0
        self.predict = SimpleNamespace(predict=self._predict, release=self._release)
        self.encode = SimpleNamespace(
            encoder=lambda base, goal, limit: SimpleNamespace(encode=self._encode, prompt_tokens=self._prompt)
        )
        self.template = template

    def _predict(
        self, candidate: str, base: BaseModel, goal: Any, tuned: Any, asked: Any, **more: Any
    ) -> list[Prediction]:
        assert (candidate, more["max_new_tokens"]) == ("base", LONGEST)
        self.times += 1
        return [Prediction(one[-1].text, 0.5, 3, 0.1, finished=bool(number % 2)) for number, one in enumerate(asked)]

    def _release(self) -> None:
        self.released += 1

    def _prompt(self, messages: Any) -> list[int]:
        return [self.template, *messages[-1].text.encode()]

    def _encode(self, example: Any) -> EncodedRow:
        tokens = [*self._prompt(example.prompt), *example.answer.encode(), 0]
        prompt = len(self._prompt(example.prompt))
        return EncodedRow(example.id, tokens, [place >= prompt for place in range(len(tokens))], None, 1.0, prompt)


def context(cache: Path) -> Context:
    return Context("train", cache, cache, cache)


def test_the_general_prompts_are_varied_short_and_no_two_alike() -> None:
    asked = prompts()
    assert len(asked) == len({one["prompt"] for one in asked}) == 24
    assert all(set(one) == {"kind", "prompt"} and 0 < len(one["prompt"]) <= 160 for one in asked)
    kinds = Counter(one["kind"] for one in asked)
    assert len(kinds) >= 8
    assert max(kinds.values()) <= 4


def test_a_base_is_asked_once_and_let_go(tmp_path: Path) -> None:
    asked = Asked()
    first = general_rows(asked, BASE, context(tmp_path))  # type: ignore[arg-type]
    assert (asked.times, asked.released, len(first)) == (1, 1, 24)
    assert general_rows(asked, BASE, context(tmp_path)) == first  # type: ignore[arg-type]
    assert asked.times == 1


@pytest.mark.parametrize("damage", ["[]", "{", '[{"text": 1}]', ""])
def test_answers_that_are_damaged_are_asked_for_again(tmp_path: Path, damage: str) -> None:
    asked = Asked()
    first = general_rows(asked, BASE, context(tmp_path))  # type: ignore[arg-type]
    [path] = (tmp_path / "general_answers").iterdir()
    path.write_text(damage)
    assert general_rows(asked, BASE, context(tmp_path)) == first  # type: ignore[arg-type]
    assert asked.times == 2


def test_another_base_or_another_template_is_asked_for_itself(tmp_path: Path) -> None:
    from dataclasses import replace

    for number, (base, template) in enumerate([(BASE, 7), (replace(BASE, sha256="cd"), 7), (BASE, 8)], 1):
        asked = Asked(template)
        general_rows(asked, base, context(tmp_path))  # type: ignore[arg-type]
        assert asked.times == 1
        assert len(list((tmp_path / "general_answers").iterdir())) == number


def test_a_cache_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "general_answers").write_text("a file stands in the way")
    assert len(general_rows(Asked(), BASE, context(tmp_path))) == 24  # type: ignore[arg-type]


def test_an_answer_that_was_cut_is_not_expected_to_end(tmp_path: Path) -> None:
    rows = general_rows(Asked(), BASE, context(tmp_path))  # type: ignore[arg-type]
    assert [row.tokens[-1] == 0 for row in rows] == [bool(number % 2) for number in range(24)]
    assert all(len(row.tokens) == len(row.trained) and row.trained[-1] for row in rows)


def outcomes(losses: list[float], right: float = 1.0) -> dict[str, RowOutcome]:
    return {str(number): RowOutcome(loss, right) for number, loss in enumerate(losses)}


@pytest.mark.parametrize(
    ("rise", "code"), [(-0.2, "kept"), (LITTLE * 0.9, "kept"), (MUCH * 0.9, "little_lost"), (MUCH * 2, "much_lost")]
)
def test_the_verdict_says_how_much_was_lost(rise: float, code: str) -> None:
    before = [0.3 + number / 100 for number in range(24)]
    after = [loss + rise + (0.02 if number % 2 else -0.02) for number, loss in enumerate(before)]
    found = judge(outcomes(before), outcomes(after, 0.9), "", 0)
    assert found is not None
    assert (found.code, found.n) == (code, 24)
    assert found.low < rise < found.high
    assert found.loss - found.loss_before == pytest.approx(rise)
    for words in ("24 general prompts", "95% interval", "90% of their tokens"):
        assert words in found.words
    assert bool(found.advice) == (code != "kept")


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    off = general(TrainSettings(forgetting=False), Asked(), BASE, context(tmp_path))  # type: ignore[arg-type]
    found = judge({}, {}, off.why_not, 0)
    assert found is not None
    assert (found.code, found.n) == ("not_measured", 0)
    assert "train.forgetting is off" in found.words
    few = judge(outcomes([0.3] * (FEWEST - 1)), outcomes([0.3] * (FEWEST - 1)), "", 0)
    assert few is not None
    assert few.code == "not_measured"
    assert f"only {FEWEST - 1} of 24" in few.words
    untrained = judge(outcomes([UNTRAINED * 2] * 24), outcomes([1.0] * 24), "", 0)
    assert untrained is not None
    assert untrained.code == "not_measured"

    class Refuses(Asked):
        def _prompt(self, messages: Any) -> list[int]:
            raise InputError("no_chat_template", "this base has no chat template", "here", "choose another")

    without = general(TrainSettings(), Refuses(), BASE, context(tmp_path))  # type: ignore[arg-type]
    assert without.why_not == "this base has no chat template"


def test_an_encoder_has_no_answers_to_lose(tmp_path: Path) -> None:
    found = general(TrainSettings(), learner("classifier"), BASE, context(tmp_path))
    assert judge({}, {}, found.why_not, 0) is None


def test_a_base_finds_its_own_answers_likely_and_a_spoilt_one_does_not(smollm2: BaseModel, bases_cache: Path) -> None:
    import torch

    from tests.unit.learners.test_causal_lm import GOAL, RECIPE
    from tests.unit.training.tiny import recipe

    causal: Learner = learner("causal_lm")
    measured = general(TrainSettings(), causal, smollm2, context(bases_cache))
    model = causal.load.prepare(smollm2, GOAL, RECIPE, measured.rows[:1])
    of_two = recipe(40, workers=2, token_budget=512)
    before = measured.outcomes(model, of_two)
    assert len(before) == 24
    assert sum(one.loss for one in before.values()) / 24 < 1
    assert sum(one.right for one in before.values()) / 24 > 0.97
    same = judge(before, measured.outcomes(model, of_two), "", 0)
    assert same is not None
    assert (same.code, same.low, same.high) == ("kept", 0.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.trained_state().values():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    spoilt = judge(before, measured.outcomes(model, of_two), "", 0)
    assert spoilt is not None
    assert spoilt.code == "much_lost"
