"""The engine's own server, bare: llama.cpp with the settings that it has below ours, until standard input closes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from tunesmith.engines.llamacpp import LlamaCpp
    from tunesmith.server.served import LONGEST_CONTEXT

    threads = len(os.sched_getaffinity(0))
    with LlamaCpp.open(
        Path(job["gguf"]), context=LONGEST_CONTEXT, threads=threads, parallel=job["parallel"], wide=job["wide"]
    ) as engine:
        url, key = engine.address
        sys.stdout.write(json.dumps({"url": f"{url}/v1", "key": key}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
