"""Fine-tuning SmolLM2 with LoRA beside TRL's SFTTrainer: rows a second, losses step by step, memory.

Both sides train the same rows in the same order, from the same adapter weights, with the same
optimizer settings, each in a process of its own; only the training itself is timed. The sides take turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.banking77 import read
from benchmarks.command import ROOT, environment, shared, tunesmith
from benchmarks.figure import Failed, Figure, Skipped, at_least, at_most
from benchmarks.peers import environment as peers

ROWS = 256
BATCH = 16
ROUNDS = int(os.environ.get("TUNESMITH_BENCH_ROUNDS", "2"))
#: What the chat template puts first when a conversation has no system message of its own.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
JOB = {"batch_size": BATCH, "learning_rate": 2e-4, "rank": 16, "alpha": 32}
#: TRL as it comes, and the best setting found: 16 rows a step packed into one sequence.
TRL = {
    "TRL defaults": ("float32", {}),
    "TRL best": (
        "bfloat16",
        {
            "packing": True,
            "max_length": 704,
            "per_device_train_batch_size": 1,
            "gradient_checkpointing": False,
            "bf16": False,
        },
    ),
}
EXACT = ("float32", {"bf16": False, "gradient_checkpointing": False})


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """All jobs, or those that ``--set jobs=chat,bare`` names."""
    data = shared("banking77")
    jobs = {"chat": job_one, "bare": no_shared_prefix, "documents": documents, "preferences": preferences}
    named = [name for override in overrides for name in override.removeprefix("jobs=").split(",")]
    if unknown := set(named) - set(jobs):
        raise Failed(f"there is no job {', '.join(sorted(unknown))}; there are {', '.join(jobs)}")
    figures = []
    with tempfile.TemporaryDirectory(prefix="tunesmith-training-") as temporary:
        model = base_folder()
        for name in named or jobs:
            figures += jobs[name](Path(temporary), model, data)
    return figures


def job_one(folder: Path, model: Path, data: Path) -> list[Figure]:
    """256 rows as chat with the template's own system prompt."""
    rows = write_rows(folder / "chat.jsonl", chat(data, SYSTEM))
    measured = take_turns(folder, model, rows, ["ours", *TRL])
    exact = [
        side(folder, name, {**JOB, "model": str(model), "rows": str(rows), "dtype": "float32"}, settings)
        for name, settings in (("ours", {}), ("trl_sft.py", EXACT[1]))
    ]
    apart = max(abs(left - right) for left, right in zip(exact[0]["losses"], exact[1]["losses"], strict=True))
    figures = speeds("chat", measured, {"TRL defaults": 8, "TRL best": 6})
    figures.append(
        at_most("chat, losses of a step apart from TRL's, float32", apart, "", 1e-4, f"{len(exact[0]['losses'])} steps")
    )
    share = median(measured["ours"], "megabytes") / median(measured["TRL defaults"], "megabytes")
    figures.append(at_most("chat, peak memory, of TRL's at its defaults", share, "", 0.6))
    return [*figures, *of_the_machine(measured["ours"])]


def no_shared_prefix(folder: Path, model: Path, data: Path) -> list[Figure]:
    """The same texts with no system prompt: rows share the two or three tokens of the template's head alone."""
    rows = write_rows(folder / "bare.jsonl", chat(data, None))
    measured = take_turns(folder, model, rows, ["ours", "TRL defaults"])
    return speeds("nothing shared", measured, {"TRL defaults": 2.5})


def documents(folder: Path, model: Path, data: Path) -> list[Figure]:
    """64 questions, ten on each document of about 400 tokens."""
    rows = write_rows(
        folder / "documents.jsonl",
        [
            {
                "prompt": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": f"{document}\n\n{question}"},
                ],
                "completion": [{"role": "assistant", "content": right}],
            }
            for document, question, right, _ in questions(data, 64, messages=22)
        ],
    )
    measured = take_turns(folder, model, rows, ["ours", "TRL defaults"])
    return speeds("documents", measured, {"TRL defaults": 5}, rows=64)


def preferences(folder: Path, model: Path, data: Path) -> list[Figure]:
    """32 pairs of a right and a wrong answer to a prompt of about 300 tokens, by DPO."""
    rows = write_rows(
        folder / "preferences.jsonl",
        [
            {
                "prompt": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": f"{document}\n\n{question}"},
                ],
                "chosen": [{"role": "assistant", "content": right}],
                "rejected": [{"role": "assistant", "content": wrong}],
            }
            for document, question, right, wrong in questions(data, 32, messages=15, on_each=1)
        ],
    )
    measured = take_turns(folder, model, rows, ["ours", "TRL defaults"], script="trl_dpo.py")
    return speeds("preferences", measured, {"TRL defaults": 2.5}, rows=32)


def questions(data: Path, count: int, messages: int, on_each: int = 10) -> list[tuple[str, str, str, str]]:
    """(document, question, right answer, wrong answer): a document is a list of customers' messages."""
    rows = read(data / "train.csv")[::7]
    made = []
    for number in range(count):
        start = number // on_each * messages
        listed = rows[start : start + messages]
        document = "\n".join(f"{place}. {text}" for place, (text, _) in enumerate(listed, 1))
        asked = number % on_each + 1
        right, wrong = (listed[place % messages][1].replace("_", " ") for place in (asked - 1, asked + messages // 2))
        made.append((document, f"What does message {asked} ask about?", right, wrong))
    return made


def chat(data: Path, system: str | None) -> list[dict[str, Any]]:
    """Rows of Banking77 as conversations."""
    first = [{"role": "system", "content": system}] if system is not None else []
    return [
        {
            "prompt": [*first, {"role": "user", "content": text}],
            "completion": [{"role": "assistant", "content": label.replace("_", " ")}],
        }
        for text, label in read(data / "train.csv")[:: 10003 // ROWS][:ROWS]
    ]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def take_turns(
    folder: Path, model: Path, rows: Path, names: Sequence[str], script: str = "trl_sft.py"
) -> dict[str, list[Any]]:
    """Each side in turn, ROUNDS times."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    for turn in range(ROUNDS):
        for name in names:
            dtype, settings = TRL.get(name, ("bfloat16", {}))
            job = {**JOB, "model": str(model), "rows": str(rows), "dtype": dtype, "beta": 0.1}
            found[name].append(side(folder, "ours" if name == "ours" else script, job, settings))
            print(f"  {rows.stem}, turn {turn + 1}: {name} {found[name][-1]['seconds']:.1f} s", file=sys.stderr)
    return found


def side(folder: Path, name: str, job: dict[str, Any], settings: dict[str, Any]) -> Any:
    """Run one side's script and read the object that it prints last."""
    path = folder / "job.json"
    path.write_text(
        json.dumps(
            {
                **job,
                "settings": settings,
                "adapter": str(folder / "adapter.safetensors"),
                "tokens": str(Path(job["rows"]).with_suffix(".tokens.jsonl")),
            }
        )
    )
    if name == "ours":
        command = [sys.executable, "-m", "benchmarks.peers.ours", str(path)]
        variables = environment()
    else:
        command = [str(peers.python("trl")), str(ROOT / "benchmarks" / "peers" / name), str(path)]
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "PYTHON"))}
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=variables, check=False)
    if ended.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}")
    return json.loads(ended.stdout.splitlines()[-1])


def median(runs: Sequence[Any], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def speeds(job: str, measured: dict[str, list[Any]], bars: dict[str, float], rows: int = ROWS) -> list[Figure]:
    """Rows a second of each side, and ours over each peer's."""
    ours = median(measured["ours"], "seconds")
    figures = [
        Figure(
            f"{job}, {name}",
            rows / median(runs, "seconds"),
            "rows/s",
            note=f"{median(runs, 'seconds'):.1f} s, peak {median(runs, 'megabytes'):,.0f} MB, median of {len(runs)}",
        )
        for name, runs in measured.items()
    ]
    return figures + [
        at_least(f"{job}, ours over {name}", median(measured[name], "seconds") / ours, "times", bar)
        for name, bar in bars.items()
    ]


def of_the_machine(runs: Sequence[Any]) -> list[Figure]:
    """The share of the rate of bare bfloat16 products, measured now by `benchmarks/peers/bare_products.py`."""
    command = [sys.executable, "-m", "benchmarks.peers.bare_products"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=True)
    bare = json.loads(ended.stdout)
    first = runs[0]
    flops = first["nodes"] * bare["flops_a_node"] + first["targets"] * bare["flops_a_target"]
    share = flops / median(runs, "seconds") / bare["flops_a_second"]
    note = f"{flops / 1e12:.1f} TFLOP needed, bare products {bare['flops_a_second'] / 1e9:,.0f} GFLOP/s"
    return [at_least("chat, share of the machine's bare product rate", 100 * share, "%", 50, note)]


def base_folder() -> Path:
    """SmolLM2 as `tunesmith base` converts it, in the cache."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-base-") as temporary:
        folder = Path(temporary)
        (folder / "rows.csv").write_text("q,a\n" + "".join(f"question {n},answer {n}\n" for n in range(20)))
        (folder / "tunesmith.yaml").write_text(
            "version: 1\nname: base\ngoal: {input: text, output: text}\nbase: {model: smollm2-135m-instruct}\n"
            "collect: [{path: rows.csv, input: q, output: a}]\n"
        )
        command = tunesmith("base", "--project", str(folder))
        if subprocess.run(command, stdout=sys.stderr, env=environment(), check=False).returncode != 0:
            raise Skipped("the base could not be fetched")
        from tunesmith import Project

        return Path(Project.open(folder).product("base").folder)
