"""A version at work: its engine, its queue, and how its answers are marked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from tunesmith.answering.answerer import Prompt
from tunesmith.answering.equipment import put
from tunesmith.answering.setups import changed, in_words
from tunesmith.deployment.ways_to_serve import EXACT, WIDE, EngineName
from tunesmith.engines.upstream import Kind, Upstream
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.memory import available
from tunesmith.plugins import learner, learner_for
from tunesmith.products import GoalSheet
from tunesmith.project import Project
from tunesmith.server.engines import ChatEngine, LabelEngine, TextEngine, TokenCodec, TorchText
from tunesmith.server.limits import Gate
from tunesmith.server.refusal import Refusal
from tunesmith.server.site import Site
from tunesmith.server.threshold import with_threshold
from tunesmith.server.upstream import Proven, UpstreamChat, UpstreamText
from tunesmith.server.version import Version
from tunesmith.setup_in_use import equip
from tunesmith.workers import cores

#: Those that are servers of somebody's.
UPSTREAM_KINDS: tuple[Kind, ...] = get_args(Kind)
#: Requests that a classifier works on at once: their rows are scored together.
LABELS_AT_ONCE = 256
#: Characters from which on a text is turned into tokens beside the event loop, so that others need not wait for it.
LONG_TEXT = 20_000

#: Tokens of the longest prompt with its answer, by llama.cpp: each answer written at once has memory for so many.
LONGEST_CONTEXT = 4096

Found = TypeVar("Found")
Prepare = Callable[[Prompt], Prompt]


@dataclass(frozen=True)
class Wanted:
    """How to serve. ``waiting``: requests that may wait for a model. ``precision``: of the weights, for llama.cpp; None
    takes what was deployed. ``arithmetic``: what it computes with where weights have 16 bits (`LlamaCpp.open`: wide).

    ``tell`` is told what is done otherwise than one may think, ``progress`` what is being done.
    """

    engine: EngineName = "auto"
    precision: str | None = None
    waiting: int = 64
    tell: Callable[[str], None] = lambda words: None
    progress: Callable[[str, int, int], None] = lambda what, done, total: None
    arithmetic: Literal["f32", "f16"] = "f32"

    @property
    def weights(self) -> str:
        """The precision of a version that is made now."""
        return self.precision or EXACT

    @property
    def wide(self) -> bool:
        return self.arithmetic == WIDE


@dataclass(frozen=True)
class ServedText:
    """A model that writes. ``context``: tokens of a prompt with its answer. ``prepare`` puts a question as the set-up
    in use does, with examples or documents; ``schema``: what answers keep to where the request says nothing."""

    version: Version
    engine: TextEngine
    codec: TokenCodec
    gate: Gate
    context: int
    site: Site
    prepare: Prepare | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ServedChat:
    """A model at a server that is asked by messages. ``codec`` counts their tokens, as in training; the rest is as of
    a `ServedText`."""

    version: Version
    engine: ChatEngine
    codec: TokenCodec
    gate: Gate
    context: int
    site: Site
    prepare: Prepare | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ServedLabels:
    """A model that gives labels."""

    version: Version
    engine: LabelEngine
    gate: Gate
    site: Site


Served = ServedText | ServedChat | ServedLabels


def check_engine(version: Version, engine: EngineName) -> None:
    """Raises InputError ``engine_cannot`` or ``set_up_not_served`` for what cannot be served."""
    if gives(version) != "labels":
        return
    if engine not in ("auto", "torch"):
        what = f"{version.name} is a classifier, and {engine} serves language models"
        raise InputError("engine_cannot", what, "--engine", "leave --engine out")
    if version.setup is not None:
        words = in_words(version.setup)
        what = f"{version.name} is set to be asked by {words}, and of classifiers only the tuned is served"
        raise InputError("set_up_not_served", what, "advise.use", "tunesmith advise --use tuned")


def _learner_name(version: Version) -> str:
    """What trained this version, or would."""
    return version.tuned.learner if version.tuned else learner_for(version.base.kind, "text", version.goal.output).name


def gives(version: Version) -> str:
    """What its model gives: ``labels`` or ``text``; found out without loading what computes."""
    return "labels" if _learner_name(version) == "classifier" else "text"


def serve_version(project: Project, site: Site, version: Version, wanted: Wanted, gguf: Path | None) -> Served:
    """Load a version, by llama.cpp where ``gguf`` is its export, else as it was trained.

    Raises InputError ``engine_cannot`` for an engine that cannot serve it.
    """
    check_engine(version, wanted.engine)
    version, handed_off = with_threshold(project, version)
    if handed_off is not None:
        wanted.tell(f"{version.name}: {handed_off}")
    module = learner(_learner_name(version)).serve
    if module.GIVES == "labels":
        labeller = module.open_model(version.base, version.goal, version.tuned)
        engine = LabelEngine(labeller, cores(), module.compute_alone)
        return ServedLabels(version, engine, Gate(LABELS_AT_ONCE, wanted.waiting), site)
    if gguf is None and wanted.engine == "llamacpp":
        what = f"{version.full_name} was recorded without an export, to be served by torch"
        raise InputError("engine_cannot", what, "--engine", "`tunesmith deploy --engine llamacpp` exports it")
    if gguf is not None and wanted.engine != "torch":
        return _by_llamacpp(project, site, version, module, wanted, gguf)
    writer = module.open_model(version.base, _asked_goal(version), version.tuned)
    text = TorchText(writer, _probe(version, writer.tokens))
    gate = Gate(text.slots, wanted.waiting)
    return ServedText(version, text, writer.tokens, gate, version.base.context, site, *_set_up(project, version))


def serve_upstream(
    project: Project,
    site: Site,
    version: Version,
    upstream: Upstream,
    wanted: Wanted,
    check: Callable[[Served], Awaitable[str | None]],
) -> Served:
    """A version that a server of somebody's answers for; no weights are loaded here.

    ``check`` asks it for the answers that it is known by, and returns in words what is wrong.
    """
    version, handed_off = with_threshold(project, version)
    if handed_off is not None:
        by_text = "; but this upstream does not tell how sure it is: rules alone hand over"
        wanted.tell(f"{version.name}: {handed_off}{by_text if upstream.kind == 'openai' else ''}")
    codec = learner(_learner_name(version)).serve.tokens(version.base, _asked_goal(version))
    gate = Gate(upstream.endpoint.at_once, wanted.waiting)
    rest = codec, gate, version.base.context, site, *_set_up(project, version)
    if upstream.kind == "openai":
        by_messages = UpstreamChat(upstream)
        chat = ServedChat(version, by_messages, *rest)
        return replace(chat, engine=Proven(by_messages, partial(check, chat)))
    by_tokens = UpstreamText(upstream, codec.end, _probe(version, codec), codec.grammar)
    text = ServedText(version, by_tokens, *rest)
    return replace(text, engine=Proven(by_tokens, partial(check, text)))


def _asked_goal(version: Version) -> GoalSheet:
    """The goal as the model is given it: with the system prompt that the set-up has in place of the goal's own."""
    return changed(version.setup, version.goal) if version.setup else version.goal


def _set_up(project: Project, version: Version) -> tuple[Prepare | None, Mapping[str, Any] | None]:
    """What puts questions as the set-up in use does, and the schema that its answers keep to."""
    setup = version.setup
    if setup is None:
        return None, None
    equipment = equip(project, setup, version.max_new_tokens, version.artifacts)

    def prepare(prompt: Prompt) -> Prompt:
        return put(setup, [prompt], equipment).prompts[0]

    return prepare, version.goal.schema if setup.enforce_schema else None


def _by_llamacpp(project: Project, site: Site, version: Version, module: Any, wanted: Wanted, gguf: Path) -> ServedText:
    from tunesmith.engines.gguf_memory import streams_for
    from tunesmith.engines.llamacpp import LlamaCpp
    from tunesmith.server.llamacpp import LlamaCppText

    context = min(version.base.context, LONGEST_CONTEXT)
    threads = len(os.sched_getaffinity(0))
    streams = streams_for(gguf, context, available())

    def open_engine() -> LlamaCpp:
        return LlamaCpp.open(gguf, context=context, threads=threads, parallel=streams, wide=wanted.wide)

    codec = module.tokens(version.base, _asked_goal(version))
    engine = LlamaCppText(open_engine, streams, codec.end, _probe(version, codec), codec.grammar, codec.spelled)
    gate = Gate(streams, wanted.waiting)
    return ServedText(version, engine, codec, gate, context, site, *_set_up(project, version))


def _probe(version: Version, codec: TokenCodec) -> list[int]:
    """A short prompt to find out whether the model can write."""
    return codec.of_text("a") if version.documents else codec.of_messages((Message.of("user", "a"),))


async def in_tokens(text: Sequence[str], make: Callable[[], Found], *, slow: bool = False) -> Found:
    """Turn texts into tokens, beside the event loop where they are long, or the making is slow."""
    if not slow and sum(map(len, text)) < LONG_TEXT:
        return make()
    return await asyncio.to_thread(make)


def room_for(served: ServedText | ServedChat, prompt: int, wanted: int | None, allowed: int | None) -> int:
    """How many tokens the answer may have: as asked for, or as the test measured; never more than fit.

    ``allowed``: tokens a request of the key. Raises Refusal ``context_length_exceeded`` or ``too_many_tokens``.
    """
    context = served.context
    if prompt + 1 > context or (wanted is not None and prompt + wanted > context):
        asked = f" and {wanted:,} for the answer" if wanted is not None else ""
        what = f"the prompt has {prompt:,} tokens{asked}; the model can see {context:,}"
        raise Refusal(400, "context_length_exceeded", what, param="messages")
    if allowed is not None and prompt + (wanted or 1) > allowed:
        what = f"this key may use {allowed:,} tokens a request; the prompt has {prompt:,}"
        raise Refusal(400, "too_many_tokens", what, param="max_tokens")
    most = min(context, allowed or context) - prompt
    return min(wanted or served.version.max_new_tokens, most)
