"""The requests that are least like the training data, to be labelled: `improve` chooses among them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tunesmith.deployment.kept_text import input_of
from tunesmith.deployment.state import State
from tunesmith.deployment.traffic import SEVERAL
from tunesmith.example import messages_from_json

#: What is farthest from the training inputs first; of those whose distance is not known, what the model was least
#: sure of.
_FARTHEST = (
    "SELECT traffic.id, traffic.route, traffic_texts.prompt FROM traffic_texts JOIN traffic USING (number) "
    "WHERE answered IS NOT NULL ORDER BY distance IS NULL, distance DESC, confidence, number DESC"
)


@dataclass(frozen=True)
class Candidate:
    """``id`` of the request, and what was asked, masked."""

    id: str
    text: str


def candidates(state: State, count: int) -> list[Candidate]:
    """The first ``count`` requests with a kept text of one question, each text once."""
    return state.look(lambda connection: _candidates(connection, count))


def _candidates(connection: sqlite3.Connection, count: int) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for row in connection.execute(_FARTHEST):
        if len(found) >= count:
            break
        said = [message for message in messages_from_json(row["prompt"]) if message.role != "system"]
        if said and (len(said) == 1 or row["route"] in SEVERAL):
            text = input_of(said, several=True)
            found.setdefault(text, Candidate(row["id"], text))
    return list(found.values())
