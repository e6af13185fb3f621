"""Span: where a private value stands in a text, and of which kind it is."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal[
    "api_key",
    "url_credentials",
    "password",
    "email",
    "iban",
    "card",
    "national_id",
    "mac_address",
    "ip_address",
    "phone",
    "street_address",
    "person",
    "organisation",
    "place",
]
#: In the order in which they win where two overlap: what is surer and worse to lose comes first.
ALL_KINDS: tuple[Kind, ...] = get_args(Kind)
RANK = {kind: rank for rank, kind in enumerate(ALL_KINDS)}
#: What a model of the language must find, and what checksums and patterns do.
NAME_KINDS: tuple[Kind, ...] = ("person", "organisation", "place")
KINDS: tuple[Kind, ...] = tuple(kind for kind in ALL_KINDS if kind not in NAME_KINDS)


@dataclass(frozen=True, slots=True)
class Span:
    """A private value at ``text[start:end]``.

    ``key`` is what all spellings of one value share (case, separators). It is private itself, so it is in no repr.
    """

    kind: Kind
    start: int
    end: int
    key: str = field(repr=False)


def without_overlaps(spans: list[Span]) -> list[Span]:
    """Of spans that overlap the one of the higher rank, then the longer one; in the order of the text."""
    if len(spans) < 2:
        return spans
    chosen: list[Span] = []
    starts: list[int] = []
    for span in sorted(spans, key=lambda span: (RANK[span.kind], span.start - span.end, span.start)):
        place = bisect_right(starts, span.start)
        after = place == len(starts) or span.end <= starts[place]
        if after and (place == 0 or chosen[place - 1].end <= span.start):
            starts.insert(place, span.start)
            chosen.insert(place, span)
    return chosen
