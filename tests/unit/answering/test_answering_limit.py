"""How long an answer may be: one rule for the test, the advice, trials and the server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.answering.limit import SHORTEST_LIMIT, limit_for
from tunesmith.products import EncodedRow


def row(prompt: int, answer: int) -> EncodedRow:
    return EncodedRow("a", [1] * (prompt + answer), [False] * prompt + [True] * answer, None, 1.0, prompt)


@given(st.lists(st.integers(0, 60), max_size=5), st.integers(-5, 200), st.none() | st.integers(1, 300))
def test_half_as_long_again_as_the_longest_as_far_as_there_is_room(
    answers: list[int], room: int, wanted: int | None
) -> None:
    found = limit_for([row(7, length) for length in answers], room, wanted)
    assert 1 <= found <= max(1, room)
    enough = wanted or max(SHORTEST_LIMIT, 3 * max(answers, default=0) // 2)
    assert found == enough or found == max(1, room)
