"""The row-by-row steps with what the user decided: edited answers, and rules by reason."""

from __future__ import annotations

from dataclasses import replace

from tunesmith.decisions import Decisions
from tunesmith.example import Example
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.private_data import MaskedRow
from tunesmith.stages.clean.remark import Remark
from tunesmith.stages.clean.row_steps import Checked, Learned, RowSteps
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import shorten


class DecidedSteps(RowSteps):
    """The steps, on rows with the answers that the user gave them."""

    def __init__(
        self,
        goal: GoalSheet,
        settings: CleanSettings,
        seed: int,
        decisions: Decisions,
        learned: Learned | None = None,
    ) -> None:
        super().__init__(goal, settings, seed, learned)
        self.decisions = decisions

    def check(self, example: Example) -> Checked:
        """As `RowSteps.check`; an edited row is masked, given its answer, and looked at again."""
        checked = super().check(example)
        decision = self.decisions.rows.get(example.id)
        if decision is None or decision.answer is None:
            return checked
        masked = checked.private or MaskedRow(example)
        again = super().check(masked.example.with_answer(decision.answer))
        fault = again.fault
        if masked.set_aside:  # what was masked cannot be found again: look at the row as it came, with the answer
            alone = super().check(example.with_answer(decision.answer))
            fault = alone.fault if alone.private and alone.private.set_aside else fault
        after = again.private or MaskedRow(again.example)
        edit = Remark("edited", f"{shorten(masked.example.answer or '')} → {shorten(after.example.answer or '')}")
        found = tuple(Remark(one.code, one.evidence) for one in masked.found)
        # Set aside or merged it is written as it came in, masked.
        private = replace(masked, found=(*masked.found, *after.found)) if masked.found or after.found else None
        return replace(again, fixes=(*found, edit, *again.fixes), fault=fault, private=private)


def codes_of(checked: Checked) -> list[str]:
    """The reasons for which a row is shown: what speaks against it, what was mended, what it is flagged for."""
    fault = [checked.fault] if checked.fault else []
    return [remark.code for remark in (*fault, *checked.fixes, *checked.flags)]
