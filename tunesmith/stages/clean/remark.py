"""What a step found or did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """What a step found or did: its code, and the evidence."""

    code: str
    evidence: str
