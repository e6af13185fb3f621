"""Answer messages with Tunesmith's causal learner.

``python -m benchmarks.peers.ours_answers JOB.json`` prints one JSON object. The job: ``model`` (a folder), ``system``,
``messages``, ``max_new_tokens``. ``seconds`` are those of the answers, with the model in memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.memory import megabytes
from tunesmith.example import Message
from tunesmith.products import BaseModel, GoalSheet
from tunesmith.threads import be_patient


def main(job: dict[str, Any]) -> dict[str, Any]:
    be_patient()
    from tunesmith.learners.causal_lm.encode import encoder
    from tunesmith.learners.causal_lm.predict import predict

    base = BaseModel("smollm2", "causal_lm", Path(job["model"]), 0, 2048, "Apache-2.0", ("en",), "", "", "")
    goal = GoalSheet("text", "text", job["system"])
    prompts = [(Message.of("user", text),) for text in job["messages"]]
    encode = encoder(base, goal, base.context)
    predict("base", base, goal, None, prompts[:1], max_new_tokens=1)  # the model is read
    began = time.perf_counter()
    answers = predict("base", base, goal, None, prompts, max_new_tokens=job["max_new_tokens"])
    return {
        "seconds": time.perf_counter() - began,
        "answers": [answer.text for answer in answers],
        "prompt_tokens": sum(len(encode.prompt_tokens(prompt)) for prompt in prompts),
        "megabytes": megabytes(),
    }


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
