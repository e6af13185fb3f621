"""serve.rules in tunesmith.yaml: what is wrong is told at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith import project_file
from tunesmith.deployment.rules.build import Surroundings, build
from tunesmith.deployment.rules.injections import known
from tunesmith.deployment.rules.settings import Language, RuleSettings
from tunesmith.errors import Faults, InputError


def read(folder: Path, rules: str) -> project_file.ProjectSettings:
    file = folder / "tunesmith.yaml"
    file.write_text(f"name: shop\nserve:\n  rules:\n{rules}", encoding="utf-8")
    return project_file.read(file)


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(Faults) as told:
        read(
            tmp_path,
            "    - {name: a, patterns: ['(a', 'b*', '(?=c)']}\n"
            "    - {name: b, topics: [one, two, three], do: mask}\n"
            "    - {name: c, fits_schema: true, where: before}\n"
            "    - {name: d, words: [x], private: all}\n"
            "    - {name: e}\n"
            "    - {name: f, private: [mail]}\n"
            "    - {name: g, wrods: [x]}\n",
        )
    found = {(fault.where.split(":", 1)[1].split(": ")[0], fault.what) for fault in told.value.faults}
    lines = sorted({int(line) for line, _ in found})
    assert lines == [4, 5, 6, 7, 8, 9, 10]
    words = " ".join(what for _, what in found)
    assert "missing )" in words
    assert "'b*' is found in the empty text" in words
    assert "invalid perl operator: (?=" in words
    assert "topics cannot be masked" in words
    assert "it stands after the model" in words
    assert "it looks for private and words" in words
    assert "unknown key 'wrods'" in words
    assert "default" not in " ".join(fault.fix or "" for fault in told.value.faults if "it looks for" in fault.what)


@pytest.mark.parametrize(
    ("key", "default"),
    [("queue: -1", "the default is "), ("rules: 5", None), ("rules: [5]", None), ("deploy: 5", None)],
)
def test_a_fault_tells_the_default_where_one_could_write_it(tmp_path: Path, key: str, default: str | None) -> None:
    file = tmp_path / "tunesmith.yaml"
    file.write_text(f"name: shop\nserve:\n  {key}\n", encoding="utf-8")
    with pytest.raises(InputError) as told:
        project_file.read(file)
    fix = told.value.fix or ""
    assert (default or "It says: ") in fix
    assert default is not None or "default is" not in fix


def test_two_rules_have_two_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two rules are named a"):
        read(tmp_path, "    - {name: a, words: [x]}\n    - {name: a, words: [y]}\n")


def test_a_rule_that_does_not_say_stands_where_it_makes_sense() -> None:
    def of(**rule: object) -> tuple[str, str]:
        made = RuleSettings(name="r", **rule)  # type: ignore[arg-type]
        return made.stands, made.does

    assert of(private="all") == ("both", "mask")
    assert of(words=["x"]) == ("both", "mask")
    assert of(patterns=["x"]) == ("both", "refuse")
    assert of(injections="all") == ("before", "refuse")
    assert of(topics=["a", "b", "c"]) == ("before", "refuse")
    assert of(repeats=["system"]) == ("after", "refuse")
    assert of(goal_rules=True, do="hand_off") == ("after", "hand_off")


def test_what_a_rule_needs_and_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    rules = [
        RuleSettings(name="a", words="words.txt"),
        RuleSettings(name="b", topics=["one thing", "another thing", "a third thing"]),
    ]
    with pytest.raises(Faults) as told:
        build(rules, Surroundings(tmp_path))
    assert [(fault.code, fault.where) for fault in told.value.faults] == [
        ("words_missing", "serve.rules.0.words"),
        ("encoder_missing", "serve.rules.1.topics"),
    ]


def test_every_language_of_the_list_can_be_chosen() -> None:
    assert {one.language for one in known()} == set(Language.__args__)
