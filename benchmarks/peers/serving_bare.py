"""The bare classifier: all texts in batches, in a process that does nothing else."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from tunesmith.threads import be_patient

    be_patient()
    from tunesmith import Project
    from tunesmith.example import Message
    from tunesmith.plugins import learner

    project = Project.open(job["project"])
    goal, base, tuned = (project.product(stage) for stage in ("goal", "base", "train"))
    predict = learner(tuned.learner).predict.predict
    prompts = [(Message.of("user", text),) for text in job["texts"]]
    predict("tuned", base, goal, tuned, prompts[:64])
    rounds = []
    for _ in range(3):
        began = time.perf_counter()
        found = predict("tuned", base, goal, tuned, prompts)
        rounds.append(time.perf_counter() - began)
    told = {"rounds": rounds, "probabilities": [one.confidence for one in found]}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
