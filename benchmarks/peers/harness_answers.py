"""Answer messages with lm-evaluation-harness, as its tasks of free answers (generate_until) do.

``python harness_answers.py JOB.json`` prints one JSON object. The job is that of `ours_answers.py`, with ``settings``
for the harness's model.
"""

from __future__ import annotations

import time
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from memory import megabytes
from told import script


def main(job: dict[str, Any]) -> dict[str, Any]:
    model = HFLM(pretrained=job["model"], device="cpu", dtype="float32", **job["settings"])
    tokenizer = model.tokenizer
    asked = {"until": [tokenizer.eos_token], "max_gen_toks": job["max_new_tokens"], "do_sample": False}
    prompts = [
        model.apply_chat_template([{"role": "system", "content": job["system"]}, {"role": "user", "content": message}])
        for message in job["messages"]
    ]
    requests = [Instance("generate_until", {}, (prompt, dict(asked)), number) for number, prompt in enumerate(prompts)]
    began = time.perf_counter()
    answers = model.generate_until(requests, disable_tqdm=True)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "answers": [answer.strip() for answer in answers],
        "prompt_tokens": sum(len(model.tok_encode(prompt)) for prompt in prompts),
        "megabytes": megabytes(),
    }


if __name__ == "__main__":
    script(main)
