"""The look at the whole set: with the real encoder where one is needed, and what happens without one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from clean_project import LABELS, TEXT, TICKET, cleaned, filler, row, rows

from tunesmith.decisions import Decisions
from tunesmith.example import Example
from tunesmith.products import BaseModel, GoalSheet
from tunesmith.stages.clean.coverage import is_untidy
from tunesmith.stages.clean.verdicts import Mended

TEAMS = GoalSheet("text", "label", "", labels=("expenses", "hardware", "network", "payroll", "printing", "unused"))
SOUND = filler()


@pytest.fixture(scope="module")
def encoder(minilm: BaseModel) -> dict[str, Any]:
    return {"encoder": {"name": minilm.name, "folder": minilm.folder, "sha256": minilm.sha256}, "earlier_clean": None}


THINGS = {
    "payroll": ("payslip", "overtime pay", "salary", "holiday bonus", "wage tax statement", "pension payment"),
    "printing": ("laser printer", "copier", "toner cartridge", "paper tray", "scanner glass", "ink of the plotter"),
    "network": ("wifi", "VPN connection", "ethernet cable", "internet access", "network switch", "router"),
    "expenses": ("hotel bill", "taxi receipt", "train ticket", "mileage allowance", "dinner invoice", "flight refund"),
    "hardware": ("laptop battery", "keyboard", "second monitor", "webcam", "docking station", "computer mouse"),
}
SAID = (
    "Can somebody look at the {}?",
    "I have a question about my {}.",
    "Since Monday there is a problem with the {}.",
    "Who is responsible for the {} in our office?",
)


def desk() -> tuple[list[Example], set[int]]:
    """120 tickets of five teams, twelve of them with the label of another team, and which these are."""
    given = [(said.format(thing), team) for said in SAID for team, things in THINGS.items() for thing in things]
    wrong = set(random.Random(4).sample(range(len(given)), 12))
    teams = list(THINGS)
    examples = [
        row(text, teams[(teams.index(team) + 2) % 5] if at in wrong else team, at + 2)
        for at, (text, team) in enumerate(given)
    ]
    return examples, wrong


def test_planted_wrong_labels_are_flagged_and_stay_as_they_are(tmp_path: Path, encoder: dict[str, Any]) -> None:
    examples, wrong = desk()
    made = cleaned(tmp_path, examples, TEAMS, facts=encoder)
    flagged = made.lines("wrong_label")
    hits = [at for at in wrong if examples[at].id in flagged]
    assert len(hits) >= 7
    assert len(flagged) <= len(wrong) + 4
    assert {line.state for line in flagged.values()} == {"flagged"}
    assert made.kept == examples
    assert made.counts["changed"] == 0


def test_fixed_on_request_with_a_record_but_not_in_a_test_part(tmp_path: Path, encoder: dict[str, Any]) -> None:
    examples, _ = desk()
    flagged = list(cleaned(tmp_path, examples, TEAMS, facts=encoder).lines("wrong_label"))
    kept_by_user = flagged[0]
    made = cleaned(tmp_path, examples, TEAMS, facts=encoder, fix=["wrong_label"], decisions={kept_by_user: "keep"})
    changed = made.lines("wrong_label")
    assert set(changed) == set(flagged[1:])
    by_id = {example.id: example for example in examples}
    for example in made.kept:
        if example.id in changed:
            line = changed[example.id]
            assert line.state == "changed"
            assert example.answer != by_id[example.id].answer
            assert f'"{by_id[example.id].answer}" → "{example.answer}"' in line.evidence
            assert json.loads(line.before or "")[-1]["content"] == by_id[example.id].answer
        else:
            assert example.answer == by_id[example.id].answer
    assert made.counts["kept"] == len(examples)
    assert made.counts["changed"] == len(changed)
    tested = [row(one.input, one.answer or "", at, part="test") for at, one in enumerate(examples, 2)]
    again = cleaned(tmp_path, [*examples, *_others(tested)], TEAMS, facts=encoder, fix=["wrong_label"])
    parts = {example.id: example.part for example in again.kept}
    assert {parts[id] for id, line in again.lines("wrong_label").items() if line.state == "changed"} == {None}


def _others(examples: list[Example]) -> list[Example]:
    """The same with another word, so that they are no duplicates."""
    return [row(f"{one.input} thanks", one.answer or "", 500 + at, part="test") for at, one in enumerate(examples)]


def test_a_field_of_json_is_mended_in_its_place() -> None:
    mended = Mended({"category": "late delivery"}, (), TICKET.schema)
    assert mended.answer('{"reply": "Done.", "category": "billing"}') == (
        '{"category": "late delivery", "reply": "Done."}'
    )


def test_the_second_run_takes_the_vectors_of_the_first(
    tmp_path: Path, encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunesmith.similarity import embeddings

    examples, _ = desk()
    first = cleaned(tmp_path, examples, TEAMS, facts=encoder)
    asked: list[int] = []
    real = embeddings.embed
    monkeypatch.setattr(embeddings, "embed", lambda texts, *more: asked.append(len(texts)) or real(texts, *more))
    earlier = {**encoder, "earlier_clean": first.folder}
    again = cleaned(tmp_path, examples, TEAMS, facts=earlier)
    assert asked == []
    for name in ("ledger.parquet", "coverage.json", "embeddings.parquet", "examples.parquet"):
        assert (again.folder / name).read_bytes() == (first.folder / name).read_bytes(), name
    cleaned(tmp_path, [*examples, row("the beamer hums in a low voice", "hardware", 900)], TEAMS, facts=earlier)
    assert asked == [1]
    (first.folder / "embeddings.parquet").write_bytes(b"damaged")
    cleaned(tmp_path, examples, TEAMS, facts=earlier)
    assert asked[-1] == len({example.input for example in examples})


def test_equal_meaning_and_rows_far_from_all(tmp_path: Path, encoder: dict[str, Any]) -> None:
    examples, _ = desk()
    one = row("My payslip for March is missing, where can I find it?", "payroll", 600)
    same = row("Where can I find my payslip for March? It is missing", "payroll", 601)
    other = row("My payslip for March is missing, where do I find it?", "printing", 602)
    strange = row("Ottava rima, terza rima: the sonnet and the villanelle", "hardware", 603)
    made = cleaned(tmp_path, [*examples, one, same, other, strange], TEAMS, facts=encoder, same_meaning=0.85)
    against = made.lines("meaning_conflict")
    assert {one.id, other.id} <= set(against)
    assert '"printing"' in against[one.id].evidence
    assert "rows.csv:602" in against[one.id].evidence
    assert strange.id in made.lines("far")
    quiet = cleaned(tmp_path, [*examples, one, same, other, strange], TEAMS, facts=encoder, flag=[])
    assert {line.state for line in quiet.ledger} == set()


def test_coverage_tells_kinds_of_input_what_is_missing_and_whether_it_is_enough(
    tmp_path: Path, encoder: dict[str, Any]
) -> None:
    examples, _ = desk()
    told = cleaned(tmp_path, examples, TEAMS, facts=encoder).coverage
    assert told["rows"] == told["looked_at"] == len(examples)
    assert sum(one["rows"] for one in told["clusters"]) == len(examples)
    assert {one["example"] for one in told["clusters"]} <= {example.id for example in examples}
    assert any(one["words"] for one in told["clusters"])
    [answers] = told["answers"]
    assert answers["missing"] == ["unused"]
    assert told["enough"]["begin"] == "yes"
    assert told["enough"]["all"]["n"] == len(examples)
    assert any("unused" in line for line in told["next"])
    assert told["difficulty"][0]["hardest"][0]["right"] <= told["difficulty"][0]["hardest"][-1]["right"]


def test_without_the_encoder_the_stage_goes_on_and_says_so(tmp_path: Path) -> None:
    made = cleaned(tmp_path, SOUND)
    assert made.coverage["by_meaning"]["on"] is False
    assert "clean.encoder: always" in made.coverage["by_meaning"]["why"]
    assert made.coverage["enough"]["begin"] == "unknown"
    assert made.coverage["clusters"] == []
    assert made.coverage["answers"][0]["missing"] == ["top_up"]
    assert not (made.folder / "embeddings.parquet").exists()


def test_an_encoder_that_cannot_be_used_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    empty = tmp_path / "encoder"
    empty.mkdir()
    made = cleaned(tmp_path, SOUND, facts={"encoder": {"name": "gone", "folder": empty, "sha256": "0"}})
    assert made.counts["kept"] == len(SOUND)
    assert made.coverage["by_meaning"] == {"on": False, "why": "the encoder could not be used"}
    assert any("by their meaning" in event.data["text"] for event in made.events if event.kind == "note")


def test_too_many_rows_are_not_compared_by_meaning(tmp_path: Path, encoder: dict[str, Any]) -> None:
    made = cleaned(tmp_path, SOUND, facts=encoder, encoder_rows=5)
    assert made.coverage["by_meaning"]["on"] is False
    assert any("clean.encoder_rows" in event.data["text"] for event in made.events if event.kind == "note")


def test_private_values_reach_neither_vectors_nor_coverage(tmp_path: Path) -> None:
    secret = [row(f"please write to anna.{at}@example.org about it", "refund", 50 + at) for at in range(6)]
    made = cleaned(tmp_path, [*SOUND, *secret])
    assert "example.org" not in (made.folder / "coverage.json").read_text(encoding="utf-8")


LONG = "I would like to know where the parcel with my order is, it should have come on Monday"


def test_near_duplicates_stay_unless_they_are_named(tmp_path: Path) -> None:
    near = rows((LONG, "refund"), (LONG + "!", "refund"), (LONG.replace("Monday", "Tuesday"), "refund"))
    assert cleaned(tmp_path, [*SOUND, *near]).counts["by_code"] == {}
    flagged = cleaned(tmp_path, [*SOUND, *near], flag=["near_duplicate"])
    assert flagged.counts["by_code"] == {"near_duplicate": 2}
    assert flagged.counts["kept"] == len(SOUND) + 3
    made = cleaned(tmp_path, [*SOUND, *near], drop=["near_duplicate"])
    assert made.counts["merged"] == 2
    for lost in near[1:]:
        assert (made.line(lost).code, made.line(lost).into) == ("near_duplicate", near[0].id)
        assert "rows.csv:2" in made.line(lost).evidence
    assert made.read("merged") == near[1:]


def test_the_best_of_near_duplicates_is_kept(tmp_path: Path) -> None:
    first = row(LONG, "refund", 2)
    heavy = row(LONG + "!", "refund", 3, weight=2.0)
    tested = row(LONG + "!!", "refund", 4, part="test")
    assert cleaned(tmp_path, [*SOUND, first, heavy], drop=["near_duplicate"]).kept[12:] == [heavy]
    assert cleaned(tmp_path, [*SOUND, first, heavy, tested], drop=["near_duplicate"]).kept[12:] == [tested]
    short, long = row(LONG, "It comes on Tuesday.", 5), row(LONG + "?", "It comes on Tuesday. Sorry!", 6)
    assert cleaned(tmp_path, [*SOUND, short, long], TEXT, drop=["near_duplicate"]).kept[12:] == [long]


def test_near_duplicates_with_other_labels_and_wanted_rows_stay(tmp_path: Path) -> None:
    first, wanted, other = rows((LONG, "refund"), (LONG + "!", "refund"), (LONG + "?!", "top_up"))
    made = cleaned(tmp_path, [*SOUND, first, wanted, other], drop=["near_duplicate"], decisions={wanted.id: "keep"})
    assert made.kept[12:] == [first, wanted, other]
    assert "nearly the same as rows.csv:2" in made.line(wanted).evidence


def test_a_rule_that_keeps_near_duplicates_holds(tmp_path: Path) -> None:
    near = rows((LONG, "refund"), (LONG + "!", "refund"))
    ruled = Decisions({}, {"near_duplicate": "keep"})
    assert cleaned(tmp_path, [*SOUND, *near], drop=["near_duplicate"], decisions=ruled).kept[12:] == near


def test_each_that_goes_is_like_the_one_that_stays(tmp_path: Path) -> None:
    """A chain of small steps does not end in a row that is nothing like the first."""
    words = [f"word{number}" for number in range(30)]
    chain = [
        row(" ".join([*words[step:], *(f"new{number}" for number in range(step))]), "refund", 2 + step)
        for step in range(28)
    ]
    made = cleaned(tmp_path, [*SOUND, *chain], drop=["near_duplicate"], near=0.8)
    kept = made.kept[12:]
    assert chain[0] in kept
    assert 3 <= len(kept) < len(chain)
    assert made.counts["kept"] + made.counts["merged"] == len(SOUND) + len(chain)


@pytest.mark.parametrize(
    ("text", "untidy"),
    [
        ("Where is my order?", False),
        ("where is my order", True),
        ("Where is my ORDER???", True),
        ("HELLO THIS DOES NOT WORK", True),
        ("请问我的订单在哪里", False),
        ("", False),
    ],
)
def test_what_counts_as_untidy(text: str, untidy: bool) -> None:
    assert is_untidy(text) is untidy


def test_a_label_without_rows_and_a_rare_one_are_told(tmp_path: Path) -> None:
    examples = [*filler(["refund"], 20), row("one of its kind", "card lost", 3)]
    [answers] = cleaned(tmp_path, examples).coverage["answers"]
    assert answers["missing"] == ["top_up"]
    assert answers["rare"] == ["card lost"]
    assert answers["counts"] == {"refund": 20, "card lost": 1, "top_up": 0}
    assert LABELS.labels == ("refund", "card lost", "top_up")


def test_of_too_many_rows_coverage_is_told_from_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith.stages.clean import whole_set

    monkeypatch.setattr(whole_set, "SAMPLE", 6)
    told = cleaned(tmp_path, SOUND).coverage
    assert (told["rows"], told["looked_at"]) == (12, 6)
