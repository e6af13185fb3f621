"""The docs are run: commands, links, settings and error codes in them are those of the code."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_origin

import pytest

from tests.repo.modules import ROOT, modules
from tunesmith import Project
from tunesmith.ask import Answer
from tunesmith.cli import docs
from tunesmith.cli.arguments import STAGES
from tunesmith.cli.main import build_parser, main
from tunesmith.pipeline.order import upstream
from tunesmith.pipeline.run import RunResult
from tunesmith.products import BaseModel
from tunesmith.project_file import ProjectSettings

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

#: Verbs that need nothing but a folder, and stages that the prepared project has made.
QUICK_VERBS = {"new", "add", "status"}
QUICK_STAGES = set(upstream("split"))


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a shell block, each as its words."""
    for line in block.text.splitlines():
        for command in line.split("&&"):
            if words := shlex.split(command, comments=True):
                yield words


def inline_commands() -> Iterator[tuple[str, list[str]]]:
    """Every `tunesmith …` that stands in a line of text, with its place."""
    for page in PAGES:
        text = BLOCK.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))
        for found in re.finditer(r"`(tunesmith [a-z][^`]*)`", text):
            place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
            yield place, shlex.split(found[1])


def is_quick(words: list[str]) -> bool:
    """Whether a command trains nothing and measures nothing in the prepared project."""
    arguments = build_parser().parse_args(words[1:])
    verb = words[1]
    if verb in QUICK_VERBS or (verb == "base" and arguments.list):
        return True
    if verb in ("show", "run"):
        return (arguments.stage if verb == "show" else arguments.to) in QUICK_STAGES
    return verb in QUICK_STAGES and not getattr(arguments, "refetch", False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, bases_cache: Path, minilm: BaseModel) -> Path:
    """A copy of examples/ticket-routing, made as far as split, with the files that the docs name beside it."""
    folder = tmp_path_factory.mktemp("docs") / "project"
    example = ROOT / "examples" / "ticket-routing"
    folder.mkdir()
    for name in ("tunesmith.yaml", "tickets.jsonl"):
        shutil.copy(example / name, folder)
    shutil.copy(ROOT / "examples" / "support-desk" / "tickets.csv", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_CACHE", str(bases_cache))
        assert Project.open(folder).run(to="split").exit_code == 0
    return folder


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_the_commands_of_a_block_work(block, prepared, tmp_path, bases_cache, monkeypatch, capsys):
    """Quick commands are run one after the other in a copy of the project; the others must at least be commands."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    here = shutil.copytree(prepared, tmp_path / "project")
    monkeypatch.chdir(here)
    seen = 0
    for words in commands(block):
        seen += 1
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
        elif words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[:2] == ["pip", "install"]:
            extra = re.fullmatch(r"tunesmith\[(\w+)\]", words[2])
            assert extra, words
            assert extra[1] in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        elif words[0] == "torchrun":
            assert callable(build_parser().parse_args(words[words.index("tunesmith") + 1 :]).run_verb)
        else:
            assert words[0] == "tunesmith", f"{block}: {words[0]} is not known here"
            if is_quick(words):
                assert main(words[1:]) == 0, capsys.readouterr().err
                if words[1] == "new":
                    assert Path(words[2], "tunesmith.yaml").is_file()
    assert seen


def test_there_are_commands_to_run():
    found = [words for block in blocks("sh") for words in commands(block) if words[0] == "tunesmith"]
    assert len(found) >= 15
    assert sum(map(is_quick, found)) >= 10


def test_commands_in_the_text_are_commands():
    found = list(inline_commands())
    assert len(found) >= 20
    for place, words in found:
        try:
            build_parser().parse_args(words[1:])
        except SystemExit:
            if len(words) == 2:  # a verb by its name alone: `tunesmith add`
                with pytest.raises(SystemExit, match="0"):
                    build_parser().parse_args([words[1], "--help"])
            else:
                pytest.fail(f"{place}: {' '.join(words)}")


def test_the_readme_names_the_two_commands_of_a_fresh_clone():
    first = next(block for block in blocks("sh") if block.page.name == "README.md")
    assert list(commands(first)) == [["make", "demo"], ["make", "test"]]
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_blocks_name_what_there_is(block):
    """Compiled, and each name that is taken from a project, a result or an answer is looked up."""
    tree = ast.parse(block.text, str(block))
    classes = {"Project": Project, "project": Project, "result": RunResult, "answer": Answer}
    looked_up = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in classes:
            owner = classes[node.value.id]
            assert hasattr(owner, node.attr) or node.attr in {field.name for field in fields(owner)}, node.attr
            looked_up += 1
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr != "print":
            method = getattr(Project, node.func.attr)
            given = [None] * (len(node.args) + (not inspect.ismethod(method)))
            inspect.signature(method).bind(*given, **{str(word.arg): None for word in node.keywords})
    assert looked_up


def test_yaml_blocks_are_settings():
    from ruamel.yaml import YAML

    found = blocks("yaml")
    assert len(found) >= 2
    for block in found:
        keys = YAML(typ="safe").load(block.text)
        settings = {"name": "docs", **keys}
        if "trian" in keys:  # the page on errors shows what is told of this one
            continue
        ProjectSettings.model_validate(settings)


def test_the_wrong_file_on_the_page_of_errors_gives_the_errors_that_stand_there(tmp_path, capsys):
    [wrong] = [block for block in blocks("yaml") if block.page.name == "errors.md"]
    [told] = [block for block in blocks("text") if block.page.name == "errors.md"]
    (tmp_path / "tunesmith.yaml").write_text(wrong.text, encoding="utf-8")
    assert main(["run", str(tmp_path)]) == 2
    said = capsys.readouterr().err.replace(str(tmp_path), "/home/you/my-tickets")
    assert said.strip() == told.text.strip()


def test_relative_links_lead_somewhere():
    links = [
        (page, target)
        for page in PAGES
        for target in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8")))
        if not target.startswith(("http://", "https://", "#"))
    ]
    assert len(links) >= 40
    missing = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in links
        if not (page.parent / target.partition("#")[0]).exists()
    ]
    assert missing == []


def test_every_stage_has_its_page_with_the_same_parts():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    sections = ["What it makes", "How to use it", "Settings", "What it does not do", "When something is wrong"]
    assert len(STAGES) >= 8
    for stage in STAGES:
        page = (DOCS / f"{stage}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {stage}: ")
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == sections, stage
        assert f"({stage}.md)" in index


def test_every_page_can_be_reached_from_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    others = [page for page in DOCS.rglob("*.md") if page.name != "index.md"]
    assert len(others) >= 13
    assert [page.name for page in others if f"({page.relative_to(DOCS).as_posix()})" not in index] == []


def test_the_generated_pages_are_as_committed():
    """When this fails: `make docs`."""
    found = docs.pages(DOCS)
    assert len(found) >= 10
    assert [path.name for path, text in found.items() if path.read_text(encoding="utf-8") != text] == []


def test_docs_writes_the_pages(tmp_path, capsys):
    assert main(["docs", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "settings.md").read_text(encoding="utf-8") == (DOCS / "settings.md").read_text(encoding="utf-8")
    assert "docs" not in build_parser().format_help().split("verbs:")[1].split("Begin")[0].split()


def _setting_names(model: type, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = [kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_block(kind)]
        if not (inner and not prefix):
            yield key
        for kind in inner:
            yield from _setting_names(kind, f"{key}{'[]' if get_origin(field.annotation) is list else ''}.")


def _is_block(kind: object) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_fields")


def test_every_setting_stands_on_the_page_of_settings_and_on_its_stages():
    names = list(_setting_names(ProjectSettings))
    assert len(names) >= 45
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [name for name in names if f"| `{name}` |" not in page] == []
    for name in names:
        if (stage := re.split(r"[.\[]", name)[0]) in STAGES:
            assert f"| `{name}` |" in (DOCS / f"{stage}.md").read_text(encoding="utf-8"), name


def test_every_setting_says_what_it_does():
    schema = json.loads((DOCS / "tunesmith.schema.json").read_text(encoding="utf-8"))
    described = [key for stage in (None, *STAGES) for key in docs.keys(schema, stage)]
    assert len(described) >= 45
    assert [key.name for key in described if not key.description.endswith(".")] == []


def test_the_schema_accepts_the_examples_and_refuses_a_typo():
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML

    schema = json.loads((DOCS / "tunesmith.schema.json").read_text(encoding="utf-8"))
    check = Draft202012Validator(schema)
    examples = sorted(ROOT.glob("examples/*/tunesmith.yaml"))
    assert len(examples) >= 3
    for path in examples:
        settings = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        assert list(check.iter_errors(settings)) == [], path
        assert not check.is_valid({**settings, "trian": {}})


def test_every_error_code_stands_on_a_page():
    """A user who looks a code up finds what to do."""
    codes: dict[str, str] = {}
    makers = {"InputError", "TunesmithError", "Busy", "RowProblem", "BadRow", "Refusal"}
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in makers:
                for argument in node.args[:2]:
                    if isinstance(argument, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)+", str(argument.value)):
                        codes.setdefault(str(argument.value), module.at(node.lineno))
    assert len(codes) >= 90
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert {code: place for code, place in codes.items() if f"`{code}`" not in text} == {}


def test_the_picture_of_the_report_is_a_small_png():
    picture = (DOCS / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert 20_000 < len(picture) < 300_000
