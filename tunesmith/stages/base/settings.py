"""Settings of the stage `base`: the model to start from."""

from __future__ import annotations

from pydantic import Field

from tunesmith.settings import Settings


class BaseSettings(Settings):
    """The model to start from."""

    model: str = Field(
        "auto",
        min_length=1,
        description="A name in the catalogue, a local folder, a hub id (owner/name@revision), or auto: "
        "chosen by the task, the data and the machine.",
    )
