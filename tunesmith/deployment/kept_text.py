"""What may be kept of a request's texts: they are masked first, whatever the training data keeps.

A kind of private data that a project keeps in its training data (`clean.private`) is masked here all the same: a
model may need it, a log does not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tunesmith.deployment.exchange import Exchange
from tunesmith.example import Message, messages_to_json
from tunesmith.privacy.find import REGIONS
from tunesmith.privacy.mask import Choice, ExampleMasker, Masker
from tunesmith.privacy.name_finder import find_names
from tunesmith.privacy.span import KINDS, Kind

#: Texts of a request that are longer together are not kept: to mask them would keep the answer waiting.
LONGEST = 50_000
#: From so many characters on they are masked beside the event loop.
LONG = 2_000


@dataclass(frozen=True)
class KeptText:
    """``prompt`` as `messages_to_json` writes it, ``answers`` a JSON list; both masked."""

    prompt: str
    answers: str


@dataclass(frozen=True)
class TextMasker:
    """Masks the texts of a request. ``names`` are the kinds of names that are looked for; ``stay``: words that are
    none."""

    masker: Masker = field(default_factory=Masker)
    names: frozenset[Kind] = frozenset()
    stay: frozenset[tuple[str, ...]] = frozenset()

    @classmethod
    def of(
        cls,
        choices: Mapping[Kind, Choice],
        names: frozenset[Kind],
        stay: frozenset[tuple[str, ...]] = frozenset(),
        regions: Sequence[str] = REGIONS,
        seed: int = 0,
    ) -> TextMasker:
        """For a project's choices: its fakes are made as in the training data, all else is masked."""
        made = {kind: choices.get(kind, "mask") for kind in (*KINDS, *names)}
        logged: dict[Kind, Choice] = {kind: "fake" if one == "fake" else "mask" for kind, one in made.items()}
        return cls(Masker(logged, tuple(regions), seed), names, stay)

    async def keep(self, exchange: Exchange) -> KeptText | None:
        """The texts as they may be kept, None where they are too long."""
        texts = [*_texts(exchange.prompt), *exchange.answers]
        size = sum(map(len, texts))
        if size > LONGEST:
            return None
        if size > LONG or self.names:
            return await asyncio.to_thread(self.masked, exchange.prompt, tuple(exchange.answers))
        return self.masked(exchange.prompt, tuple(exchange.answers))

    def masked(self, prompt: Sequence[Message], answers: Sequence[str]) -> KeptText:
        """The same value gets the same placeholder in all texts of the request."""
        texts = [*_texts(prompt), *answers]
        [names] = find_names([texts], self.names, self.stay) if self.names else [()]
        masker = self.masker.example(texts, names)
        shown = [Message.of(message.role, _masked(masker, message.text)) for message in prompt]
        return KeptText(
            messages_to_json(shown), json.dumps([_masked(masker, answer) for answer in answers], ensure_ascii=False)
        )


def _masked(masker: ExampleMasker, text: str) -> str:
    return masker.mask_either(text).text


def _texts(prompt: Sequence[Message]) -> list[str]:
    return [message.text for message in prompt]


def input_of(prompt: Sequence[Message], *, several: bool = False) -> str:
    """What the user said, put together as `Example.input` does, so that traffic and training can be compared.

    ``several``: the messages are texts by themselves, and the first stands for them.
    """
    said = [message for message in prompt if message.role != "system"]
    if several or len(said) == 1:
        return said[0].text if said else ""
    return "\n".join(f"{message.role}: {message.text}" for message in said)
