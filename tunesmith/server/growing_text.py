"""The text of an answer while it is written: what can be sent of it already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: What a decoder gives for bytes that are no whole character yet.
UNFINISHED = "\ufffd"


class GrowingText:
    """Pieces that joined are the text of all tokens, cut before the first of the stops.

    ``decode`` gives the text of token ids. With ``strip`` white space at both ends is left out, as in the answers
    that the test measures. What may yet change (half a character, what may begin a stop, white space that may be
    the last) is held back.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = (), *, strip: bool = True
    ) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._strip = strip
        self._tokens: list[int] = []
        self.sent = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """What this token lets out."""
        self._tokens.append(token)
        text = self._text()
        at = self._stop_in(text)
        if at is not None:
            self.stopped = True
            return self._out(text[:at].rstrip() if self._strip else text[:at])
        return self._out(self._settled(text))

    def end(self) -> str:
        """What was held back, when the answer ends by itself or at the limit of tokens."""
        text = self._text()
        return self._out(text.rstrip() if self._strip else text)

    def _text(self) -> str:
        text = self._decode(self._tokens)
        return text.lstrip() if self._strip else text

    def _stop_in(self, text: str) -> int | None:
        # what was sent held no stop, so one that is found now ends behind it
        found = [text.find(stop, max(0, len(self.sent) - len(stop) + 1)) for stop in self._stops]
        return min((at for at in found if at >= 0), default=None)

    def _settled(self, text: str) -> str:
        held = max((_overlap(text, stop) for stop in self._stops), default=0)
        text = text[: len(text) - held].rstrip(UNFINISHED)
        return text.rstrip() if self._strip else text

    def _out(self, text: str) -> str:
        if not text.startswith(self.sent):  # a decoder that takes back what it gave
            return ""
        piece = text[len(self.sent) :]
        self.sent += piece
        return piece


def _overlap(text: str, stop: str) -> int:
    """The length of the longest beginning of the stop that the text ends with."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
