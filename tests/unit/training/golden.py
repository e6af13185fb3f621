"""Write the golden losses: ``python -m tests.unit.training.golden``, after a change that is meant to change them.

The file says what each method's first losses are. Commit it with the reason why they changed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.unit.training.methods import METHODS, Base, losses, make_run

FILE = Path(__file__).with_name("golden_losses.json")
STEPS = 8


def main() -> None:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Base(Path(folder))
        for method in METHODS:
            run = make_run(method, base, Path(folder) / method)
            found[method] = [round(loss, 7) for loss in losses(run, STEPS)]
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
