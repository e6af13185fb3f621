"""`tunesmith inbox`: requests that the model handed to people, to be answered; and what users say of answers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.deployment.feedback import Feedback
    from tunesmith.deployment.tickets import Filter, Ticket
    from tunesmith.inbox import Inbox

#: Requests that a list shows unless told otherwise.
SHOWN = 20


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "inbox", run, "answer requests that the model handed to people, and read users' feedback")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="list requests; without it they come one by one, by key")
    action.add_argument("--show", metavar="ID", help="show one request, with what was said")
    action.add_argument(
        "--answer", nargs=2, metavar=("ID", "TEXT"), help="answer one; the text is read from stdin where it is -"
    )
    action.add_argument("--decline", metavar="ID", help="leave one without an answer; the client is told so")
    action.add_argument("--feedback", action="store_true", help="thumbs by version, and what users said in words")
    parser.add_argument("--because", metavar="TEXT", default="", help="with --decline: why, for the client")
    parser.add_argument(
        "--no-example", action="store_true", help="with --answer: the answer is for the client, and no example"
    )
    parser.add_argument("--as", dest="person", metavar="NAME", help="who answers (default: the login's name)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for other programs")
    filters = parser.add_argument_group("filters", "of --list, and of what comes one by one")
    filters.add_argument(
        "--status", choices=["waiting", "answered", "declined", "all"], default="waiting", help="default: waiting"
    )
    filters.add_argument("--reason", metavar="NAME", help="low_confidence, or the name of a rule")
    filters.add_argument("--of-version", metavar="NAME", help="of one version of the model, such as support-desk@3f2a")
    filters.add_argument("--key", metavar="NAME", help="of one key")
    filters.add_argument("--contains", metavar="TEXT", help="whose text holds this, in any case")
    filters.add_argument("--newest", action="store_true", help="the newest first (default: who waits longest)")
    filters.add_argument("--most", metavar="N", type=_count, default=SHOWN, help=f"list at most so many ({SHOWN})")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1,000,000")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    screen = Screen()
    asks_for_keys = not (
        arguments.list or arguments.show or arguments.answer or arguments.decline or arguments.feedback
    )
    if asks_for_keys and not (sys.stdin.isatty() and sys.stdout.isatty() and not arguments.json):
        raise InputError(
            "not_a_terminal",
            "inbox asks for one key after the other, and this is not a terminal",
            "inbox",
            "--list, --show ID, --answer ID TEXT and --decline ID need none",
        )
    with open_project(arguments).inbox(arguments.person) as inbox:
        if arguments.show:
            _tell(screen, inbox.find(arguments.show), arguments.json)
        elif arguments.answer:
            name, text = arguments.answer
            given = sys.stdin.read().removesuffix("\n") if text == "-" else text
            found = inbox.answer(inbox.find(name), given, example=not arguments.no_example)
            _tell_settled(screen, found, arguments.json)
        elif arguments.decline:
            _tell_settled(screen, inbox.decline(inbox.find(arguments.decline), arguments.because), arguments.json)
        elif arguments.feedback:
            _feedback(screen, inbox, arguments)
        elif arguments.list:
            _list(screen, inbox, arguments)
        else:
            from tunesmith.cli.inbox_keys import work

            return work(screen, inbox, _filter(arguments))
    return 0


def _filter(arguments: argparse.Namespace) -> Filter:
    from tunesmith.deployment.tickets import Filter

    return Filter(
        None if arguments.status == "all" else arguments.status,
        arguments.reason,
        arguments.of_version,
        arguments.key,
        arguments.contains,
        arguments.newest,
    )


def _list(screen: Screen, inbox: Inbox, arguments: argparse.Namespace) -> None:
    from tunesmith.cli.screen import brief

    found, count = inbox.listed(_filter(arguments), arguments.most)
    if arguments.json:
        for ticket in found:
            screen.console.file.write(as_json(ticket) + "\n")
        return
    if not found:
        screen.say("Nothing is here." if arguments.status == "all" else f"Nothing is {arguments.status}.")
        return
    now = time.time()
    rows = [
        [
            ticket.name[:8],
            ago(now - ticket.asked_at),
            state(ticket, now),
            ticket.reason,
            "" if ticket.confidence is None else f"{ticket.confidence:.2f}",
            ticket.version,
            ticket.key,
            brief(question(ticket), 60),
        ]
        for ticket in found
    ]
    screen.table(["id", "asked", "status", "reason", "sure", "version", "key", "request"], rows, right=[4])
    if count > len(found):
        screen.say(f"{count - len(found):,} more; --most N shows them.", "dim")


def question(ticket: Ticket) -> str:
    """What was asked last."""
    return ticket.messages[-1].text if ticket.messages else ""


def state(ticket: Ticket, now: float) -> str:
    """Its status, and who has it open."""
    if ticket.status == "waiting":
        return f"open: {ticket.person}" if ticket.held_by_another("", now) else "waiting"
    return f"{ticket.status}: {ticket.person}"


def ago(seconds: float) -> str:
    """How long ago something was, in its largest unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def as_json(ticket: Ticket) -> str:
    """A request as one line, with nothing of who has it open but the name."""
    from tunesmith.example import messages_to_json

    told = {
        "ticket": ticket.ticket,
        "request": ticket.request,
        "status": ticket.status,
        "reason": ticket.reason,
        "key": ticket.key,
        "version": ticket.version,
        "asked_at": ticket.asked_at,
        "confidence": ticket.confidence,
        "messages": json.loads(messages_to_json(ticket.messages)),
        "answer_of_the_model": None if ticket.by_rule else ticket.answer,
        "open_until": ticket.held_until,
        "person": ticket.person,
        "reply": ticket.reply,
        "example": ticket.example,
        "settled_at": ticket.settled_at,
        "fetched_at": ticket.fetched_at,
    }
    return json.dumps(told)


def _tell(screen: Screen, ticket: Ticket, plain: bool) -> None:
    if plain:
        screen.console.file.write(as_json(ticket) + "\n")
    else:
        show(screen, ticket)


def show(screen: Screen, ticket: Ticket) -> None:
    """One request with all that was said."""
    now = time.time()
    sure = "" if ticket.confidence is None else f", confidence {ticket.confidence:.2f}"
    screen.heading(f"{ticket.name[:8]}  {ticket.reason.replace('_', ' ')}{sure}")
    about = f"{state(ticket, now)}   {ago(now - ticket.asked_at)}   {ticket.version}   key {ticket.key}"
    screen.say(f"{about}   {ticket.request}", "dim")
    alone = len(ticket.messages) == 1
    for message in ticket.messages:
        if not alone:
            screen.say(f"  {message.role}:", "dim")
        screen.indented(message.text or "(empty)", 2 if alone else 5)
    if ticket.answer is not None:
        screen.say("  a rule said in the model's place:" if ticket.by_rule else "  the model's answer:", "dim")
        screen.indented(ticket.answer or "(empty)", 5)
    if ticket.status != "waiting":
        fetched = "the client has it" if ticket.fetched_at else "the client has not asked for it yet"
        screen.say(f"  {ticket.status} by {ticket.person}, {fetched}:", "dim")
        screen.indented(ticket.reply or "(no reason)", 5)


def _tell_settled(screen: Screen, ticket: Ticket, plain: bool) -> None:
    if plain:
        screen.console.file.write(as_json(ticket) + "\n")
        return
    screen.say(f"{screen.sign(True)} {ticket.name[:8]} is {ticket.status}; the client is told when it asks.")
    if ticket.status == "answered" and ticket.example:
        screen.say("next     tunesmith improve proposes the answer as an example")


def _feedback(screen: Screen, inbox: Inbox, arguments: argparse.Namespace) -> None:
    from tunesmith.cli.screen import brief

    thumbs, said = inbox.thumbs(), inbox.remarks(arguments.most)
    if arguments.json:
        for one in thumbs:
            screen.console.file.write(json.dumps({"kind": "thumbs", **vars(one)}) + "\n")
        for remark in said:
            screen.console.file.write(json.dumps(_remark(remark)) + "\n")
        return
    if not any(one.up or one.down or one.remarks for one in thumbs):
        screen.say("Nobody has said anything of an answer yet; clients do with POST /v1/feedback.")
        return
    rows = [
        [one.version, f"{one.up:,}", f"{one.down:,}", _share(one.up, one.down), f"{one.remarks:,}"] for one in thumbs
    ]
    screen.table(["version", "up", "down", "up of both (95% interval)", "remarks"], rows, right=[1, 2, 4])
    for remark in said:
        screen.say()
        thumb = f"   thumb {remark.thumb}" if remark.thumb else ""
        screen.say(
            f"{ago(time.time() - remark.at)}   {remark.version}   key {remark.key}   {remark.request}{thumb}", "dim"
        )
        if remark.comment:
            screen.indented(remark.comment, 2)
        if remark.correction:
            asked = f"{brief(remark.messages[-1].text, 60)} " if remark.messages else ""
            screen.indented(f"{asked}→ {remark.correction}", 2)


def _share(up: int, down: int) -> str:
    from tunesmith.scoring.intervals import wilson

    if not up + down:
        return ""
    low, high = wilson(up, up + down)
    return f"{100 * up / (up + down):.0f}% ({100 * low:.0f}% to {100 * high:.0f}%)"


def _remark(said: Feedback) -> dict[str, Any]:
    told = {name: getattr(said, name) for name in ("request", "key", "version", "at", "thumb", "comment", "correction")}
    return {"kind": "remark", **told, "example": said.correction is not None and said.prompt is not None}
