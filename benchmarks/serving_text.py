"""A language model behind `tunesmith serve`: tokens a second beside the engine below it and `transformers serve`.

And how much longer an answer takes for going through the server.

All servers write the same answers: those of examples/support-desk, greedily, of one length at most, to 16 streams at
once. The engine is llama.cpp's own server with the settings that it has below ours. What is added is measured with an
engine that answers at once, since a model that takes 50 requests a second needs a larger machine.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.command import ROOT, environment, run_project, tunesmith
from benchmarks.figure import Failed, Figure, at_least, at_most
from benchmarks.overrides import split
from benchmarks.peers import environment as peers
from benchmarks.serving_labels import SCRIPTS, running_server, tell

OVER_BARE, OVER_TRANSFORMERS, ADDED = 0.95, 5.0, 5.0  # times, times, milliseconds
RATE = 50  # requests a second
#: Seconds in which `transformers serve` must have loaded the model.
LOADING = 600.0


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """examples/support-desk; ``--set questions=16 --set sides=2`` is smaller, and leaves `transformers serve` out.

    ``questions``: of a round. ``project``: a copy of examples/support-desk that was run already, whose model is taken.
    """
    options: dict[str, Any] = {"questions": 16, "rounds": 12, "streams": 16, "tokens": 64, "seconds": 40, "sides": 3}
    folder = [one.removeprefix("project=") for one in overrides if one.startswith("project=")]
    asked, others = split([one for one in overrides if not one.startswith("project=")], **options)
    with tempfile.TemporaryDirectory(prefix="tunesmith-serving-") as temporary:
        place = Path(temporary)
        figures = _added(asked["seconds"], place)
        project = Path(folder[0]) if folder else _trained(place, others)
        return figures + _rates(project, _jobs(project, asked), place, asked["sides"] > 2)


def _trained(place: Path, settings: Sequence[str]) -> Path:
    project = place / "project"
    project.mkdir()
    for name in ("tunesmith.yaml", "tickets.csv", "ticket.schema.json"):
        shutil.copy(ROOT / "examples" / "support-desk" / name, project)
    run_project(project, settings)
    return project


def _jobs(project: Path, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """For each round questions of its own, the same for all, with the system prompt that our server adds by itself."""
    from tunesmith import Project

    system = {"role": "system", "content": Project.open(project).product("goal").system}
    with (project / "tickets.csv").open(encoding="utf-8", newline="") as file:
        messages = [row["message"] for row in csv.DictReader(file)]
    each = asked["questions"]
    texts = [messages[number % len(messages)] for number in range(each * asked["rounds"])]
    questions = [[system, {"role": "user", "content": text}] for text in texts]
    same = {"streams": asked["streams"], "max_tokens": asked["tokens"]}
    return [{"questions": questions[at : at + each], **same} for at in range(0, len(questions), each)]


def _rates(project: Path, jobs: Sequence[dict[str, Any]], place: Path, beside_transformers: bool) -> list[Figure]:
    """All servers are up; in each round one after the other is asked the same, and the next round has another order."""
    from tunesmith.engines.gguf_memory import streams_for
    from tunesmith.memory import available
    from tunesmith.server.served import LONGEST_CONTEXT

    with ExitStack() as up:
        free = available()  # before there is any server
        url, key = up.enter_context(running_server(project, "--engine", "llamacpp"))
        [gguf] = (project / ".tunesmith" / "serve" / "exports").glob("*-f16-in-float32/*.gguf")
        parallel = streams_for(gguf, LONGEST_CONTEXT, free)
        sides = {
            "served": {"url": url, "key": key},
            "the engine's own server": {**up.enter_context(_engine(gguf, place, parallel)), "model": "any"},
        }
        if beside_transformers:
            sides["transformers serve"] = up.enter_context(_transformers(project))
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for number, job in enumerate(jobs):
            for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
                told = tell("serving_streams.py", {**job, **sides[name]}, place)
                # one server counts the end of an answer as a token, another does not: of all the text is counted
                found[name].append({**told, "tokens": _tokens(project, told["texts"])})
    return figures(found)


def _tokens(project: Path, texts: Sequence[str]) -> int:
    """How many tokens of the model the texts have."""
    from tunesmith import Project
    from tunesmith.plugins import learner

    opened = Project.open(project)
    codec = learner("causal_lm").serve.tokens(opened.product("base"), opened.product("goal"))
    return sum(len(codec.of_text(text)) for text in texts)


def figures(found: dict[str, list[dict[str, Any]]]) -> list[Figure]:
    """The median rates, and the median over rounds of what we reach of the rate of each peer in the same round."""
    ours, others = found["served"], {name: told for name, told in found.items() if name != "served"}
    told = [_rate(name, rounds) for name, rounds in found.items()]
    for name, theirs in others.items():
        shares = [_per_second(one) / _per_second(other) for one, other in zip(ours, theirs, strict=True)]
        pairs = [
            pair
            for one, other in zip(ours, theirs, strict=True)
            for pair in zip(one["texts"], other["texts"], strict=True)
        ]
        same = sum(one.strip() == other.strip() for one, other in pairs)
        note = (
            f"{same} of {len(pairs)} answers the same; rounds: {', '.join(f'{share:.3f}' for share in sorted(shares))}"
        )
        bar = OVER_BARE if name == "the engine's own server" else OVER_TRANSFORMERS
        told.append(at_least(f"served over {name}", statistics.median(shares), "times", bar, note))
    return told


def _added(seconds: int, place: Path) -> list[Figure]:
    """How much longer an answer takes through our server than from an engine that answers at once."""
    with _told([sys.executable, str(SCRIPTS / "serving_echo.py")]) as told:
        chat = {"url": f"{told['server']['url']}/chat/completions", "key": told["server"]["key"]}
        bare = {"url": f"{told['engine']['url']}/completion", "key": told["engine"]["key"]}
        sides = {
            "engine": {**bare, "body": {"stream": True}, "field": "prompt", "wrap": False},
            "server": {**chat, "body": {"model": "echo"}, "field": "messages", "wrap": True},
        }
        found = tell("serving_evenly.py", {"sides": sides, "rate": RATE, "seconds": seconds}, place)
    slow, bare_slow = (found[name]["percentile_99_ms"] for name in ("server", "engine"))
    note = (
        f"n = {found['server']['asked']:,}; 99 % within {slow:.1f} ms, of the engine's own {bare_slow:.1f} ms; medians "
        f"{found['server']['median_ms']:.1f} and {found['engine']['median_ms']:.1f} ms"
    )
    return [at_most(f"99 % added, {RATE} requests a second", slow - bare_slow, "ms", ADDED, note)]


def _per_second(found: dict[str, Any]) -> float:
    return float(found["tokens"] / found["seconds"])


def _rate(name: str, rounds: Sequence[dict[str, Any]]) -> Figure:
    rate = statistics.median(map(_per_second, rounds))
    first = statistics.median(one["first_seconds"] for one in rounds)
    note = f"{sum(one['tokens'] for one in rounds):,} tokens; median wait for the first piece {first:.1f} s"
    return Figure(name, rate, "tokens/s", note=note)


@contextmanager
def _engine(gguf: Path, place: Path, parallel: int) -> Iterator[dict[str, Any]]:
    job = place / "engine.json"
    told = {"gguf": str(gguf), "wide": True, "parallel": parallel}  # as `tunesmith serve` has it
    job.write_text(json.dumps(told), encoding="utf-8")
    with _told([sys.executable, str(SCRIPTS / "serving_engine.py"), str(job)]) as address:
        yield address


@contextmanager
def _told(command: Sequence[str]) -> Iterator[Any]:
    """A server that tells in one line of JSON where it is."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Failed(f"{command[1]} ended with {process.wait()}")
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def _transformers(project: Path) -> Iterator[dict[str, Any]]:
    """`transformers serve` in an environment of its own, with its own settings, over the merged model."""
    python = peers.python("transformers_serve")
    folder = project.absolute() / "exports" / "hf-float32"
    if not folder.exists():
        done = subprocess.run(
            tunesmith("export", "--to", "hf", "--project", str(project)), env=environment(), check=False
        )
        if done.returncode != 0:
            raise Failed(f"tunesmith export --to hf ended with {done.returncode}")
    model = str(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(python.with_name("transformers")), "serve", model, "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        began = time.monotonic()
        while not _is_there(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() - began > LOADING:
                raise Failed(f"transformers serve did not start ({process.poll()})")
            time.sleep(1)
        yield {"url": f"http://127.0.0.1:{port}/v1", "key": "none", "model": model}
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_there(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return re.match("2..", str(answer.status)) is not None
    except OSError:
        return False
