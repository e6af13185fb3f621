"""`tunesmith inbox` in a terminal: one request at a time, which nobody else is given meanwhile; a key settles it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunesmith.cli.inbox import show
from tunesmith.cli.keys import Keys, keys_at_once
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.deployment.tickets import Filter, Ticket
    from tunesmith.inbox import Inbox

#: A label's key: digits first, then letters that no command has.
LABEL_KEYS = "123456789cfghijklmnoprtuvxyz"


def work(screen: Screen, inbox: Inbox, wanted: Filter) -> int:
    """Walk through the requests that wait. Returns the exit code."""
    if wanted.status != "waiting":
        raise InputError("not_waiting", "only requests that wait come one by one", "--status", "add --list")
    screen.say(f"{inbox.person}: {inbox.listed(wanted, 1)[1]:,} waiting.")
    labels = dict(zip(LABEL_KEYS, inbox.goal.labels, strict=False)) if inbox.goal.output == "label" else {}
    sitting = None
    try:
        with keys_at_once(sys.stdin.fileno()) as keys:
            sitting = _Sitting(screen, inbox, keys, labels)
            ticket = inbox.next(wanted)
            while ticket is not None and sitting.work_on(ticket):
                ticket = inbox.next(wanted) if sitting.before is None else sitting.before
    except KeyboardInterrupt:
        screen.say()
        _conclude(screen, inbox, wanted, sitting)
        return 130
    _conclude(screen, inbox, wanted, sitting)
    return 0


def _conclude(screen: Screen, inbox: Inbox, wanted: Filter, sitting: _Sitting | None) -> None:
    done = sitting.done if sitting else 0
    screen.say()
    screen.say(f"{done:,} settled, {inbox.listed(wanted, 1)[1]:,} waiting.")
    if done:
        screen.say("next     tunesmith improve proposes the answers as examples")


@dataclass
class _Sitting:
    """One person at one terminal. ``before``: the request that was gone back to, which comes next. ``refused``: what
    was typed for the request that is shown, and is no answer: to go on from."""

    screen: Screen
    inbox: Inbox
    keys: Keys
    labels: dict[str, str]
    done: int = 0
    before: Ticket | None = None
    refused: str = ""

    def work_on(self, ticket: Ticket) -> bool:
        """Show a request until it is settled or left. Returns whether the person goes on."""
        self.before, self.refused = None, ""
        try:
            while True:
                self.screen.say()
                show(self.screen, ticket)
                self.screen.say(self._menu(ticket), "dim")
                key = self._key(ticket)
                if key == "q":
                    return False
                if key == "s":
                    self.inbox.passed.append(ticket.ticket)
                    return True
                if key == "b" and self._back():
                    return True
                if key != "b" and self._settled(ticket, key):
                    return True
        finally:
            self.inbox.release(ticket)

    def _key(self, ticket: Ticket) -> str:
        known = {*self.labels, *"wdsbq", *("ae" if _is_the_models(ticket) else "")}
        while (key := self.keys.read()) not in known:
            pass  # a key that means nothing here
        return key

    def _back(self) -> bool:
        self.before = self.inbox.take_back()
        if self.before is None:
            self.screen.say("There is nothing to take back, or the client knows it already.", "dim")
            return False
        self.done -= 1
        return True

    def _settled(self, ticket: Ticket, key: str) -> bool:
        """Do what a key asks for; False where the request stays open."""
        text = None
        try:
            self.inbox.hold(ticket)
            text = self._text(ticket, key)
            if text is None:
                self.screen.say("It waits as before.", "dim")
                return False
            if key == "d":
                self.inbox.decline(ticket, text)
            else:
                self.inbox.answer(ticket, text)
        except InputError as error:
            self.screen.say(str(error), "red")
            gone = error.code in ("in_other_hands", "settled_already")
            if gone:
                self.inbox.passed.append(ticket.ticket)
            elif text is not None and key in "ew":
                self.refused = text
                self.screen.say("What you typed is kept: [w] goes on from it.", "dim")
            return gone
        self.done += 1
        return True

    def _text(self, ticket: Ticket, key: str) -> str | None:
        """What is to be said: a label, what the model said, or what is typed."""
        from tunesmith.cli.typed import typed

        if key in self.labels:
            return self.labels[key]
        if key == "a":
            return ticket.answer
        what = "Why, for the client" if key == "d" else "Your answer"
        old = {"e": ticket.answer or "", "w": self.refused}.get(key, "")
        with self.keys.paused():
            return typed(self.screen, what, old)

    def _menu(self, ticket: Ticket) -> str:
        named = "".join(f"[{key}] {label}   " for key, label in self.labels.items())
        confirm = "[a]nswer as the model did   [e]dit its answer   " if _is_the_models(ticket) else ""
        return f"{named}{confirm}[w]rite an answer   [d]ecline   [s]kip   [b]ack   [q]uit"


def _is_the_models(ticket: Ticket) -> bool:
    return ticket.answer is not None and not ticket.by_rule
