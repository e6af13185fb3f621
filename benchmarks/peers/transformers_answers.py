"""Answer messages with transformers' generate, one row at a time, as many evaluation scripts do.

``python transformers_answers.py JOB.json`` prints one JSON object. The job is that of `ours_answers.py`.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from memory import megabytes
from told import script
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(job: dict[str, Any]) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    answers, prompt_tokens = [], 0
    began = time.perf_counter()
    for message in job["messages"]:
        turns = [{"role": "system", "content": job["system"]}, {"role": "user", "content": message}]
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            written = model.generate(**prompt, max_new_tokens=job["max_new_tokens"], do_sample=False)
        length = prompt["input_ids"].shape[1]
        prompt_tokens += length
        answers.append(tokenizer.decode(written[0, length:], skip_special_tokens=True).strip())
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "answers": answers, "prompt_tokens": prompt_tokens, "megabytes": megabytes()}


if __name__ == "__main__":
    script(main)
