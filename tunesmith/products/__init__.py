"""What each stage makes, as typed readers over an artifact's files: a file a stage.

These names are the words between stages, so they live below all of them: a stage never imports
another stage, it reads the other's product.
"""

from __future__ import annotations

from tunesmith.products.advise import Advice
from tunesmith.products.base import BaseModel
from tunesmith.products.clean import (
    LEDGER_SUM,
    PRIVATE_FILE,
    SURVEY_FILE,
    CleanSet,
    LedgerLine,
    PrivateRow,
    Survey,
    UnevenFormat,
)
from tunesmith.products.collect import Collection, SetAsideRow
from tunesmith.products.format import Dataset, EncodedRow
from tunesmith.products.goal import Criterion, GoalSheet, Rule
from tunesmith.products.improve import Gain, Proposal, ProposedItem, ProposedKind, ProposedRow
from tunesmith.products.split import CERTIFICATE, PARTS, TESTED, LeftOut, Part, Splits
from tunesmith.products.test import Report
from tunesmith.products.train import Forgetting, GroupGain, TrainedExample, TunedModel

__all__ = [
    "CERTIFICATE",
    "LEDGER_SUM",
    "PARTS",
    "PRIVATE_FILE",
    "SURVEY_FILE",
    "TESTED",
    "Advice",
    "BaseModel",
    "CleanSet",
    "Collection",
    "Criterion",
    "Dataset",
    "EncodedRow",
    "Forgetting",
    "Gain",
    "GoalSheet",
    "GroupGain",
    "LedgerLine",
    "LeftOut",
    "Part",
    "PrivateRow",
    "Proposal",
    "ProposedItem",
    "ProposedKind",
    "ProposedRow",
    "Report",
    "Rule",
    "SetAsideRow",
    "Splits",
    "Survey",
    "TrainedExample",
    "TunedModel",
    "UnevenFormat",
]
