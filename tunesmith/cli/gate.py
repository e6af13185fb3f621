"""`--gate` and `--json`: the verdict as an exit code and as one line, for a pipeline that is to stop a bad model."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.pipeline.run import RunResult

#: The exit code of `--gate` by what was decided.
EXIT_CODES = {"ship": 0, "do_not_ship": 3, "not_enough_evidence": 4}


def add_gate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gate",
        action="store_true",
        help="end with 0 only when the verdict is ship; 3: do not ship; 4: not enough evidence",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the verdict as one line of JSON, and nothing else, on stdout"
    )


def check_gate(arguments: argparse.Namespace, to: str | None) -> None:
    """Raise InputError where a verdict is asked of a run that ends before the test."""
    if (arguments.gate or arguments.json) and to not in (None, "test"):
        option = "--gate" if arguments.gate else "--json"
        raise InputError(
            "gate_without_test",
            f"{option} is about the test's verdict, and the run ends at {to}",
            option,
            "leave --to out",
        )


def exit_code(result: RunResult, gate: bool) -> int:
    """How the command ends: by the decision with ``gate``, else as any run."""
    if not gate or result.verdict is None:
        return result.exit_code
    return EXIT_CODES[result.verdict["decision"]]


def tell_as_json(result: RunResult, code: int) -> None:
    """Print the summary of a verdict in one line."""
    if result.verdict is not None:
        sys.stdout.write(json.dumps(summary(result, code), ensure_ascii=False) + "\n")


def summary(result: RunResult, code: int) -> dict[str, Any]:
    """What a script wants to know of a verdict."""
    verdict = result.verdict or {}
    facts = result.test.facts if result.test else {}
    in_use = facts.get("in_use") or {}
    return {
        "decision": verdict["decision"],
        "goal": verdict["code"],
        "words": verdict["words"],
        "criteria": [
            {key: one[key] for key in ("metric", "at_least", "value", "low", "high", "n", "state")}
            for one in verdict["criteria"]
        ],
        "harms": [one["code"] for one in verdict["harms"] if one["shown"]] + ["forgot"] * verdict["forgot"],
        "rows": facts.get("rows"),
        "rows_needed": verdict["rows_needed"],
        "comparison": {key: verdict["comparison"][key] for key in ("code", "metric", "against")},
        "in_use": {key: in_use[key] for key in ("round", "rows", "better", "worse")} if in_use else None,
        "report": str(result.report),
        "exit_code": code,
    }
