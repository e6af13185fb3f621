"""`tunesmith serve --new-key`: what a key may do is said when it is made."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.errors import InputError
from tunesmith.server.keys import FILE, Keys, Limits
from tunesmith.server.start import bind, listen


def test_a_key_is_made_with_its_limits_and_listed_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    project = Project.create(tmp_path / "new", input="text", output="label")
    words = ["--tokens-a-minute", "20000", "--requests-a-minute", "60", "--models", "support-desk, b@3f2a"]
    assert main(["serve", str(project.root), "--new-key", "partner", *words]) == 0
    said = capsys.readouterr().out
    assert 'A key named "partner", shown this once' in said
    [secret] = re.findall(r"^tunesmith-\S{40,}$", said, re.MULTILINE)
    found = Keys(project.store.root / FILE).holder_of(secret)
    assert found is not None
    assert found.limits == Limits(60, 64, None, 20_000, ("support-desk", "b@3f2a"))
    assert main(["serve", str(project.root), "--new-key", "free"]) == 0
    capsys.readouterr()
    assert main(["serve", str(project.root), "--keys"]) == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert listed[1].split() == ["partner", "60", "20000", "64", "no", "limit", "support-desk,", "b@3f2a"]
    assert listed[2].split() == ["free", "no", "limit", "no", "limit", "64", "no", "limit", "all"]


@pytest.mark.parametrize("how", [["{}"], ["--project", "{}"]])
def test_where_there_are_no_keys_the_list_says_how_one_is_made(
    tmp_path: Path, how: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(Project.create(tmp_path / "new", input="text", output="label").root)
    assert main(["serve", *(word.format(root) for word in how), "--revoke", "partner"]) == 2
    assert "there is no key named 'partner'" in capsys.readouterr().err
    assert main(["serve", *(word.format(root) for word in how), "--keys"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("There are no keys yet.")
    [command] = re.findall("`tunesmith (.*?)`", said)
    assert main(command.split()) == 0  # as it stands there, NAME and all
    assert len(Keys(Path(root) / ".tunesmith" / FILE).all()) == 1


@pytest.mark.parametrize("told", ["", "a,,b", "a b", "a@", "a@xyz", "a@3f", ":canary"])
def test_a_name_that_no_model_can_have_is_refused(
    tmp_path: Path, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project.create(tmp_path / "new", input="text", output="label")
    assert main(["serve", str(project.root), "--new-key", "x", "--models", told]) == 2
    assert "[wrong_model_name]" in capsys.readouterr().err
    assert not (project.store.root / FILE).exists()


def test_a_port_that_is_taken_and_damaged_keys_are_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project.create(tmp_path / "new", input="text", output="label")  # nothing to load: that would be told
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        assert main(["serve", str(project.root), "--port", taken]) == 2
    assert "[port_taken]" in capsys.readouterr().err
    project.store.root.mkdir(exist_ok=True)
    (project.store.root / FILE).write_text("{bad", encoding="utf-8")
    assert main(["serve", str(project.root), "--port", "0"]) == 2
    assert "[damaged_keys]" in capsys.readouterr().err
    assert main(["serve", str(project.root), "--port", "70000"]) == 2
    assert "a number from 0 to 65535" in capsys.readouterr().err


def test_of_two_that_have_one_address_the_one_that_listens_first_keeps_it() -> None:
    first = bind("127.0.0.1", 0)
    with first, bind("127.0.0.1", first.getsockname()[1]) as second:
        listen(first)
        with pytest.raises(InputError) as taken:
            listen(second)
    assert taken.value.code == "port_taken"


@pytest.mark.parametrize(
    "words", [["serve", "--port", "0"], ["serve", "--engine", "openai", "--port", "0"], ["deploy"]]
)
def test_before_anything_is_trained_there_is_nothing_to_serve(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project.create(tmp_path / "new", input="text", output="label")
    assert main([*words, "--project", str(project.root)]) == 2
    said = capsys.readouterr().err
    assert said.splitlines().count("loading new …") == (words[0] == "serve")  # once, where no terminal shows it
    assert "nothing was trained yet" in said
    assert "fix: tunesmith run\n" in said
