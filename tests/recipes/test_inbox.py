"""People answer what the model handed to them: `tunesmith inbox` as a person and as other programs use it, and the
whole loop from a request to a row of the data."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.bad_project import Command
from tests.recipes.test_review import Terminal
from tests.recipes.test_serve import QUICK, serving
from tests.recipes.tiny_project import write_base, write_tiny_project
from tests.unit.deployment.people_doubles import exchange, said
from tunesmith import Project
from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.state import FILE
from tunesmith.deployment.tables import open_state

MENU = "[q]uit"
QUESTIONS = ("Where is the kettle?", "The sofa came broken.", "I want my money back!")
LABELS = ("billing", "delivery", "refund")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested classifier that hands off whatever it is not quite sure of."""
    root = tmp_path_factory.mktemp("inbox")
    kind = replace(QUICK["labels"], train="epochs: 1, batch_size: 22, learning_rate: 1.0e-6")  # so it stays unsure
    folder = write_tiny_project(root / "made", kind, write_base(root / "base", kind))
    settings = (folder / "tunesmith.yaml").read_text(encoding="utf-8")
    goal = f"system: Be kind., labels: [{', '.join(LABELS)}], unknown: hand_off, confidence: 1.0}}"
    settings = settings.replace("system: Be kind.}", goal) + "test: {resamples: 1000, raccoon: off}\n"
    (folder / "tunesmith.yaml").write_text(settings, encoding="utf-8")
    Project.open(folder).run()
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


@pytest.fixture
def asked(project: Path) -> list[str]:
    """Tickets of three requests, in the order in which they came."""
    state = open_state(project / ".tunesmith")
    queue, book = HandOffQueue(state, HandOffSettings()), FeedbackBook(state, FeedbackSettings())

    async def all_of_them() -> list[str]:
        told = []
        for number, text in enumerate(QUESTIONS):
            one = exchange(f"req-{number}", text, answers=["refund"], arrived_at=1e9 * 1.8 + number)
            ticket = await queue.take(one, "low_confidence")
            assert ticket is not None
            told.append(ticket)
            await book.record(one)
        return told

    found = asyncio.run(all_of_them())
    state.close()
    return found


def listed(command: Command, project: Path, *words: str) -> list[dict[str, Any]]:
    done = command.run(project, "inbox", "--list", "--json", *words)
    assert done.code == 0, done.said
    return [json.loads(line) for line in done.out.splitlines()]


def test_other_programs_list_show_answer_and_decline(project: Path, asked: list[str], command: Command) -> None:
    assert [one["ticket"] for one in listed(command, project, "--newest", "--most", "1")] == asked[2:]
    assert [one["ticket"] for one in listed(command, project, "--contains", "SOFA")] == asked[1:2]
    wrong = command.run(project, "inbox", "--answer", asked[0], "nonsense")
    assert (wrong.code, "not_a_label" in wrong.err, "billing, delivery, refund" in wrong.err) == (2, True, True)
    name = asked[0].removeprefix("ticket-")[:10]
    done = command.run(project, "inbox", "--answer", name, "Delivery", "--as", "ana", "--json")
    told = json.loads(done.out)
    assert (told["status"], told["reply"], told["person"]) == ("answered", "delivery", "ana")
    again = command.run(project, "inbox", "--answer", asked[0], "refund")
    assert (again.code, "answered by ana already" in again.err) == (2, True)
    declined = command.run(project, "inbox", "--decline", asked[1], "--because", "not ours")
    assert (declined.code, "is declined" in declined.out) == (0, True)
    shown = command.run(project, "inbox", "--show", asked[1])
    assert all(words in shown.out for words in (QUESTIONS[1], "the model's answer", "not ours"))
    assert [one["status"] for one in listed(command, project, "--status", "all")] == ["answered", "declined", "waiting"]
    assert "not_a_terminal" in command.run(project, "inbox").err


def test_a_project_that_never_served_has_no_inbox(project: Path, command: Command) -> None:
    told = command.run(project, "inbox", "--list")
    assert (told.code, "nothing_served" in told.err) == (2, True)
    assert not (project / ".tunesmith" / FILE).exists()


def test_thumbs_are_shown_by_version_with_what_was_said(project: Path, asked: list[str], command: Command) -> None:
    state = open_state(project / ".tunesmith")
    book = FeedbackBook(state, FeedbackSettings(request_days=3650))
    for number, thumb in enumerate(("up", "up", "down")):
        told = said(f"req-{number}", thumb=thumb, comment=None if thumb == "up" else "it is billing", correction=None)

        async def add(told: Any = told) -> None:
            await book.add(await book.find(told.request, "website"), told)

        asyncio.run(add())
    state.close()
    shown = command.run(project, "inbox", "--feedback")
    assert (shown.code, "67% (21% to 94%)" in shown.out, "it is billing" in shown.out) == (0, True, True)
    lines = [json.loads(line) for line in command.run(project, "inbox", "--feedback", "--json").out.splitlines()]
    assert [(line["kind"], line.get("up"), line.get("comment")) for line in lines] == [
        ("thumbs", 2, None),
        ("remark", None, "it is billing"),
    ]


def test_keys_settle_one_request_after_the_other_and_two_people_have_different_ones(
    project: Path, asked: list[str], bases_cache: Path, command: Command
) -> None:
    ana = Terminal(project, bases_cache, "--as", "ana", verb=("inbox",))
    bo = None
    try:
        said = ana.until(MENU)
        assert "3 waiting" in said
        assert QUESTIONS[0] in said
        assert "[1] billing   [2] delivery   [3] refund" in said
        bo = Terminal(project, bases_cache, "--as", "bo", verb=("inbox",))
        assert QUESTIONS[1] in bo.until(MENU)
        taken = command.run(project, "inbox", "--answer", asked[0], "refund", "--as", "cy")
        assert (taken.code, "ana has" in taken.err) == (2, True)
        ana.press("x2")  # x means nothing
        assert QUESTIONS[2] in ana.until(MENU)
        ana.press("b")  # a slip: it was billing
        assert QUESTIONS[0] in ana.until(MENU)
        ana.press("1")
        assert QUESTIONS[2] in ana.until(MENU)
        ana.press("w")
        ana.until("> ")
        ana.press("nonsense\n")
        again = ana.until(MENU)
        assert "not_a_label" in again
        assert "What you typed is kept" in again
        ana.press("w")
        ana.until("> nonsense")
        ana.press("\x15\n")  # an empty line changes nothing
        ana.until(MENU)
        ana.press("a")  # as the model did
        code, end = ana.end()
        assert (code, "2 settled, 1 waiting" in end) == (0, True)  # bo has the other open
        bo.press("d")
        bo.until("> ")
        bo.press("ask the shop\n")
        code, end = bo.end()
        assert (code, "1 settled, 0 waiting" in end) == (0, True)
    finally:
        ana.close()
        if bo is not None:
            bo.close()
    found = {one["ticket"]: (one["reply"], one["person"]) for one in listed(command, project, "--status", "all")}
    assert found == dict(zip(asked, [("billing", "ana"), ("ask the shop", "bo"), ("refund", "ana")], strict=True))


def test_from_a_request_to_a_row_of_the_data(project: Path, bases_cache: Path, command: Command) -> None:
    question, mail = QUESTIONS[0], "My card is cloned, write to zq7@example.org"
    with serving([project], bases_cache) as client:
        handed_off = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": question}])
        marks = handed_off.model_extra["tunesmith"]  # type: ignore[index]
        assert marks["handed_off"], marks
        ticket = marks["ticket"]
        command.run(project, "inbox", "--answer", ticket, "delivery", "--as", "ana")
        told: Any = client.get(f"/hand_offs/{ticket}", cast_to=object)
        assert told["completion"]["choices"][0]["message"]["content"] == "delivery"
        other = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": mail}])
        client.post("/feedback", body={"request": other.id, "thumb": "down", "correction": "billing"}, cast_to=object)
        [waits] = listed(command, project)
        assert waits["messages"][0]["content"] == "My card is cloned, write to [EMAIL_1]"
    opened = Project.open(project)
    proposal = opened.run(to="improve").improve
    assert proposal is not None
    rows = {row.input: row for row in proposal.rows("add")}
    assert {text: row.proposed for text, row in rows.items()} == {
        question: "delivery",
        "My card is cloned, write to [EMAIL_1]": "billing",
    }
    assert rows[question].why.startswith("answered by a person in the inbox on 20")
    assert "by a user of the key first on 20" in rows["My card is cloned, write to [EMAIL_1]"].why
    learned = {example.input for example in opened.product("clean").examples()}
    assert not set(rows) & learned  # nothing is learned that nobody accepted
    opened.accept([f"add/{rows[question].id}"])
    opened.run(to="clean")
    found = {example.input: example.answer for example in opened.product("clean").examples()}
    assert found[question] == "delivery"
    assert "My card is cloned, write to [EMAIL_1]" not in found

    command.run(project, "clean", "--forget", question, "My card is cloned", "--yes")
    assert listed(command, project, "--status", "all") == []
    state = b"".join(path.read_bytes() for path in (project / ".tunesmith" / "serve").iterdir())
    assert not any(words in state for words in (question.encode(), b"cloned", b"zq7"))
