"""The inbox of a project: requests that models handed to people, one at a time, while a server runs or not.

A request that one person has open nobody else is given, for `serve.hand_off.claim_minutes`; each is settled once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import TYPE_CHECKING

from tunesmith.blind_review import name_of
from tunesmith.deployment import feedback, tickets
from tunesmith.deployment.feedback import Feedback, Thumbs
from tunesmith.deployment.fitting import fitted
from tunesmith.deployment.people_settings import HandOffSettings
from tunesmith.deployment.retention import expire_people
from tunesmith.deployment.state import FILE, State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.tickets import Claim, Filter, Ticket
from tunesmith.errors import InputError
from tunesmith.products import GoalSheet

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Remarks that are shown at most.
REMARKS = 20
LONGEST_REASON = 4000  # characters


@dataclass
class Inbox:
    """The requests as one person works them. Get one from `Project.inbox`.

    ``holder`` is this sitting: a second one by the same person is told of the first as of anybody's.
    """

    state: State
    goal: GoalSheet
    settings: HandOffSettings
    person: str
    holder: str = field(default_factory=lambda: secrets.token_hex(8))
    clock: Callable[[], float] = time.time
    passed: list[str] = field(default_factory=list)
    _settled: list[str] = field(default_factory=list)

    def listed(self, wanted: Filter, most: int) -> tuple[list[Ticket], int]:
        """The first requests of a filter, and how many there are."""
        return self.state.look(lambda one: tickets.listed(one, wanted, most))

    def find(self, name: str) -> Ticket:
        """A request by its ticket, or by how that begins. Raises InputError ``no_such_ticket``."""
        found = self.state.look(lambda one: tickets.find(one, name)) if name.removeprefix(tickets.PREFIX) else []
        if len(found) == 1:
            return found[0]
        what = f"several tickets begin with {name!r}" if found else f"there is no ticket {name!r}"
        named = ", ".join(one.name for one in found[:5])
        fix = f"write more of it: {named}" if found else "`tunesmith inbox --list --status all` lists them"
        raise InputError("no_such_ticket", what, "inbox", fix)

    def next(self, wanted: Filter) -> Ticket | None:
        """Open the next request that waits and nobody else has open; those that were passed over come no more."""
        return self.state.change(lambda one: tickets.claim_next(one, wanted, self.passed, self._claim))

    def hold(self, ticket: Ticket) -> None:
        """Have an open request longer. Raises InputError ``in_other_hands`` or ``settled_already``."""
        if self.state.change(lambda one: tickets.claimed(one, ticket.ticket, self._claim)) is None:
            self._refuse(ticket)

    def release(self, ticket: Ticket) -> None:
        """Let others have it."""
        self.state.change(lambda one: tickets.release(one, ticket.ticket, self.holder))

    def answer(self, ticket: Ticket, text: str, *, example: bool = True) -> Ticket:
        """Answer it, durably; the client is given the answer when it asks. ``example``: it may become an example.

        Raises InputError ``not_a_label``, ``answer_does_not_fit``, ``empty_answer``, ``in_other_hands`` or
        ``settled_already``.
        """
        return self._settle(ticket, "answered", fitted(self.goal, text, ticket.name), example=example)

    def decline(self, ticket: Ticket, reason: str = "") -> Ticket:
        """Leave it without an answer; the client is told so, and the reason. Raises InputError as `answer`."""
        if len(reason) > LONGEST_REASON or any("\ud800" <= character <= "\udfff" for character in reason):
            what = f"a reason is text of at most {LONGEST_REASON:,} characters"
            raise InputError("answer_does_not_fit", what, ticket.name, "shorten it")
        return self._settle(ticket, "declined", reason.strip(), example=False)

    def take_back(self) -> Ticket | None:
        """Open again what was settled last in this sitting; None where nothing was, or the client was told already."""
        if not self._settled:
            return None
        ticket = self._settled.pop()

        def work(one: Connection) -> Ticket | None:
            return tickets.claimed(one, ticket, self._claim) if tickets.reopen(one, ticket) else None

        return self.state.change(work)

    def thumbs(self) -> list[Thumbs]:
        """What users said of each version's answers."""
        return self.state.look(feedback.thumbs_by_version)

    def remarks(self, most: int = REMARKS) -> list[Feedback]:
        """The latest comments and corrections of users."""
        return self.state.look(lambda one: feedback.remarks(one, most))

    @property
    def _claim(self) -> Claim:
        return Claim(self.holder, self.person, self.clock(), 60 * self.settings.claim_minutes)

    def _settle(self, ticket: Ticket, status: tickets.Status, reply: str, *, example: bool) -> Ticket:
        claim = self._claim
        if not self.state.change(lambda one: tickets.settle(one, ticket.ticket, status, reply, claim, example=example)):
            self._refuse(ticket)
        self._settled.append(ticket.ticket)
        return self.find(ticket.ticket)

    def _refuse(self, ticket: Ticket) -> None:
        """Say why a request cannot be had."""
        now = self.find(ticket.ticket)
        if now.status != "waiting":
            what = f"{now.name} was {now.status} by {now.person} already"
            raise InputError("settled_already", what, "inbox", f"`tunesmith inbox --show {now.name}` shows it")
        minutes = max(1, round(((now.held_until or 0.0) - self.clock()) / 60))
        what = f"{now.person} has {now.name} open, for {minutes} min at most"
        raise InputError("in_other_hands", what, "inbox", "take another, or wait until they are done")


@contextmanager
def opened(project: Project, person: str | None = None) -> Iterator[Inbox]:
    """Open the inbox of a project. ``person``: by default the login's name.

    What was kept long enough is removed. Raises InputError ``nothing_served`` where no server ever ran.
    """
    settings = project.settings.serve
    if not (project.store.root / FILE).exists():
        what = "no server has handed anything to people here yet"
        raise InputError("nothing_served", what, str(project.root), "tunesmith serve")
    own = settings.hand_off if settings.hand_off != "off" else HandOffSettings()  # type: ignore[call-arg]
    state = open_state(project.store.root)
    try:
        expire_people(state, settings.hand_off, settings.feedback)
        yield Inbox(state, project.product("goal"), own, name_of(person))
    finally:
        state.close()
