"""Below which confidence an answer is for a person: as the project says, else as the last test of the version found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunesmith.pipeline.tested import last_test
from tunesmith.products import GoalSheet, Report
from tunesmith.project import Project
from tunesmith.server.version import Version


def with_threshold(project: Project, version: Version) -> tuple[Version, str | None]:
    """The version with what goes to a person, and that in words; None where every answer is the model's.

    ``goal.unknown`` and ``goal.confidence`` of tunesmith.yaml count as they are now: they say what is done with an
    answer, and change no answer. Where the confidence is not set, it is what the version's own test found.
    """
    own = project.settings.goal
    unknown = own.unknown if "unknown" in own.model_fields_set else version.goal.unknown
    if unknown != "hand_off":
        return _with(version, unknown="answer"), None
    if "confidence" in own.model_fields_set:
        words = f"answers below a confidence of {own.confidence:g} go to a person (goal.confidence)"
        return _with(version, unknown=unknown, confidence=own.confidence), words
    found = _found(project, version)
    if found is None:
        default = GoalSheet("text", "text", "").confidence
        words = f"answers below a confidence of {default:g} go to a person (goal.confidence is not set)"
        return _with(version, unknown=unknown, confidence=default), words
    words = (
        f"answers below a confidence of {found['confidence']:.4g} go to a person: goal.confidence is not set, and by "
        f"the test that reaches an accuracy of {100 * found['wanted']:g}%"
    )
    return _with(version, unknown=unknown, confidence=found["confidence"]), words


def _with(version: Version, **goal: Any) -> Version:
    return replace(version, goal=replace(version.goal, **goal))


def _found(project: Project, version: Version) -> dict[str, Any] | None:
    """The threshold that the test of this training chose; None where it chose none.

    A model that is asked in another way than in the test has other confidences.
    """
    if version.tuned is None or version.setup is not None:
        return None
    test = last_test(project.store, version.artifacts["train"])
    if test is None:
        return None
    threshold = (Report.open(test).facts.get("calibration") or {}).get("threshold") or {}
    return threshold if threshold.get("confidence") else None
