"""Signatures of many texts on disk, one file for each sketching: only the one in use is in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np

from tunesmith.similarity.min_hash import Signatures
from tunesmith.similarity.text_batches import Sketching


class SignatureFiles:
    """Temporary files of signatures, one for each of ``sketchings``, in the order in which batches bring them."""

    def __init__(self, sketchings: Sequence[Sketching]) -> None:
        self._files = {one: tempfile.TemporaryFile(prefix="tunesmith-") for one in sketchings}  # noqa: SIM115

    def append(self, signatures: Sequence[Signatures]) -> None:
        for file, rows in zip(self._files.values(), signatures, strict=True):
            file.write(rows.tobytes())

    def read(self, sketching: Sketching) -> Signatures:
        """All signatures of one sketching ``[texts, permutations]``."""
        file = self._files[sketching]
        file.flush()
        file.seek(0)
        return np.fromfile(file, np.uint8).reshape(-1, sketching.permutations)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
