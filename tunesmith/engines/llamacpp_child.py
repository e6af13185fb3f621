"""The child of llamacpp.py: load a GGUF file, serve it on a free local port, and end when standard input closes.

It reads one line of JSON (model, context, threads, parallel, key) and writes one line: its address.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from typing import Any


def main() -> None:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    watching = threading.Thread(target=end_with_the_parent, daemon=True)
    watching.start()
    try:
        # The library logs to the standard output, where the parent waits for one line.
        answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        server = load(told)
        answers.write(f"{server.listening_address}\n")
        answers.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # by itself it would wait for the library's threads
    watching.join()


def end_with_the_parent() -> None:
    """The parent may end at any moment, also while the model is loaded."""
    sys.stdin.read()
    os._exit(0)  # the library's own end waits for requests that nobody reads any more


def load(told: dict[str, Any]) -> Any:
    """A server of the library, which answers as long as it is held."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = told["model"]
    settings.n_ctx, settings.n_parallel = told["context"], told["parallel"]
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = told["threads"]
    settings.hostnames, settings.port, settings.api_keys = ["127.0.0.1"], 0, [told["key"]]
    settings.ui, settings.offline, settings.verbosity = False, True, 1
    settings.ctx_shift = False
    settings.cache_ram_mib = 0
    # Attention in full precision. Keys and values in half alone turn some near ties, and the engine's flash attention
    # computes with fewer digits: it moves log probabilities by up to a hundredth, more than weights in half do.
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return xllamacpp.Server(settings)


if __name__ == "__main__":
    main()
