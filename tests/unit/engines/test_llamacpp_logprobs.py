"""Of a character of several tokens llama.cpp tells the last one's probability alone: each keeps its place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from tunesmith.engines.llamacpp import aligned
from tunesmith.export.compare import compare_texts
from tunesmith.export.forms import form_of
from tunesmith.learners.protocol import Replayed


def is_whole(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.text("aé日本語ああ😀\ufffd", max_size=12), st.sets(st.integers(1, 40)))
@example("\u00e9\u0269\u00e9", {1, 2, 3, 4, 5})  # the same last byte, and one that is the first of another
@example("\U00010410\u0410", {1, 2, 3, 4, 5})  # the last byte of a character stands within it too
def test_each_log_probability_stands_at_its_token(text: str, cuts: set[int]) -> None:
    """Tokens are pieces of the bytes, cut anywhere; the engine tells of those that end with a whole character."""
    written = text.encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(written)), len(written)]
    pieces = [written[start:end] for start, end in pairwise(places) if end > start]
    ids = [int.from_bytes(b"\1" + piece) for piece in pieces]
    wanted: list[float | None] = []
    told = []
    for place, id in enumerate(ids):
        is_told = is_whole(b"".join(pieces[: place + 1]))
        wanted.append(-float(place) if is_told else None)
        if is_told:
            told.append({"id": id, "logprob": -float(place)})

    def text_of(some: Sequence[int]) -> str:
        return b"".join(id.to_bytes(64).lstrip(b"\0")[1:] for id in some).decode(errors="replace")

    assert aligned(ids, told, text, text_of) == wanted


def test_a_certificate_leaves_out_what_is_not_told() -> None:
    ours = Replayed((1,), (5, 6, 7), "x", True, 0.1)
    theirs = Replayed((1,), (5, 6, 7), "x", True, 0.1, (-0.5, None, -0.25))
    form = form_of("causal_lm", "gguf", "f16")
    found = compare_texts(form, ["a"], [ours], [theirs], 0, lambda prompt, tokens, rival: ([-0.5, -9.0, -0.5], None))
    assert found.shifts == (0.0, 0.25)
