"""A classifier behind `tunesmith serve` beside the bare model: texts a second, and how long each one waits.

The bare model scores all texts in batches in a process that does nothing else, before the server and after it. The
server gets the same texts one a request, from clients in another process on the same cores. Then requests come at half
the rate that was reached, evenly spread whatever is still running, so that a slow answer makes no other come later.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, environment, run_project, tunesmith
from benchmarks.figure import Failed, Figure, at_least, at_most
from benchmarks.overrides import split

SCRIPTS = Path(__file__).parent / "peers"
SHARE, SLOWEST = 0.6, 80.0  # of the bare rate; milliseconds
LARGEST_DIFFERENCE = 1e-5


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """examples/ticket-routing, 2,000 texts by 32 clients; ``--set texts=100 --set seconds=5`` is smaller.

    ``project``: a copy of examples/ticket-routing that was run already, whose model is taken.
    """
    folder = [one.removeprefix("project=") for one in overrides if one.startswith("project=")]
    rest = [one for one in overrides if not one.startswith("project=")]
    asked, others = split(rest, texts=2000, clients=32, seconds=20)
    with tempfile.TemporaryDirectory(prefix="tunesmith-serving-") as temporary:
        project = Path(folder[0]) if folder else _trained(Path(temporary) / "project", others)
        lines = (project / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
        known = [text for text in (json.loads(line).get("text") for line in lines) if text and text.strip()]
        job: dict[str, Any] = {
            "project": str(project),
            "texts": [known[number % len(known)] for number in range(asked["texts"])],
            "clients": asked["clients"],
            "seconds": asked["seconds"],
        }
        bare = [tell("serving_bare.py", job, Path(temporary))]
        with running_server(project) as (url, key):
            served = tell("serving_clients.py", {**job, "url": url, "key": key}, Path(temporary))
        bare.append(tell("serving_bare.py", job, Path(temporary)))
    return figures(bare, served, asked["texts"])


def _trained(project: Path, settings: Sequence[str]) -> Path:
    project.mkdir()
    for name in ("tunesmith.yaml", "tickets.jsonl"):
        shutil.copy(ROOT / "examples" / "ticket-routing" / name, project)
    run_project(project, settings)
    return project


def figures(bare: Sequence[dict[str, Any]], served: dict[str, Any], texts: int) -> list[Figure]:
    """The rates, ours over the bare one, the wait at half the load, and how far the scores are apart."""
    pairs = zip(bare[0]["probabilities"], served["probabilities"], strict=True)
    apart = max(abs(one - other) for one, other in pairs)
    seconds = statistics.median(each for one in bare for each in one["rounds"])
    rate, share = texts / served["seconds"], seconds / served["seconds"]
    waits = f"n = {served['asked']:,}, at {served['rate']:.0f} a second; median {served['median_ms']:.1f} ms"
    return [
        Figure("bare model, in batches", texts / seconds, "texts/s"),
        Figure("served, one text a request", rate, "texts/s"),
        at_least("served over bare", share, "times", SHARE),
        at_most("99% of answers within, at half that load", served["percentile_99_ms"], "ms", SLOWEST, waits),
        at_most("largest difference of a probability", apart, "", LARGEST_DIFFERENCE),
    ]


@contextmanager
def running_server(project: Path, *words: str) -> Iterator[tuple[str, str]]:
    """The server of the project: its address and a key for it."""
    name = f"benchmark-{secrets.token_hex(4)}"
    made = tunesmith("serve", str(project), "--new-key", name, "--at-once", "1000")
    shown = subprocess.run(made, stdout=subprocess.PIPE, text=True, env=environment(), check=True).stdout
    [key] = re.findall(r"^tunesmith-\S+$", shown, re.MULTILINE)
    command = tunesmith("serve", str(project), "--port", "0", "--queue", "10000", *words)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"Serving on (http://\S+);", said)):
            line = process.stdout.readline()
            if not line:
                raise Failed(f"the server did not start: {said}")
            said += line
        yield found[1], key
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:
            raise Failed(f"the server ended with {process.returncode}")
    finally:
        process.kill()
        process.communicate()


def tell(script: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a script on the job, and read the line of JSON that it writes last."""
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, str(SCRIPTS / script), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=False)
    if done.returncode != 0:
        raise Failed(f"{script} ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
