"""What is sent of an answer while it grows adds up to the answer."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.server.growing_text import GrowingText

TEXTS = st.text(alphabet="ab \n.é€😀", max_size=30)


def decode(tokens: Sequence[int]) -> str:
    """Tokens are bytes, so that a character may need four."""
    return bytes(tokens).decode("utf-8", "replace")


def sent(text: str, stops: Sequence[str], *, strip: bool = True) -> tuple[list[str], GrowingText]:
    growing = GrowingText(decode, stops, strip=strip)
    pieces = []
    for byte in text.encode():
        pieces.append(growing.add(byte))
        if growing.stopped:
            return pieces, growing
    return [*pieces, growing.end()], growing


@given(text=TEXTS)
def test_the_pieces_are_the_text_that_the_test_measures(text: str) -> None:
    pieces, _ = sent(text, ())
    assert "".join(pieces) == text.strip()


@given(text=TEXTS)
def test_a_bare_text_keeps_its_white_space(text: str) -> None:
    pieces, _ = sent(text, (), strip=False)
    assert "".join(pieces) == text


@given(text=TEXTS, stops=st.lists(st.text(alphabet="ab \n.é", min_size=1, max_size=4), max_size=3))
def test_nothing_of_a_stop_or_behind_it_is_sent(text: str, stops: list[str]) -> None:
    pieces, growing = sent(text, stops, strip=False)
    found = [text.index(stop) for stop in stops if stop in text]
    assert growing.stopped == bool(found)
    whole = "".join(pieces)
    if not found:
        assert whole == text
        return
    assert text.startswith(whole)
    assert not any(stop in whole for stop in stops)
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    assert min(found) <= len(whole) <= min(ends)  # the stop that is whole first cuts


def test_half_a_character_is_held_back() -> None:
    growing = GrowingText(decode)
    assert [growing.add(byte) for byte in "€!".encode()] == ["", "", "€", "!"]


def test_what_may_begin_a_stop_is_held_back_until_it_is_none() -> None:
    growing = GrowingText(decode, ["END"])
    assert [growing.add(byte) for byte in b"xENx"] == ["x", "", "", "ENx"]
