"""Tunesmith: from a file of examples to a tested, tailored model that you own.

from tunesmith import Project
result = Project.open("support-desk").run()
print(result.verdict["words"], result.report)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunesmith.errors import InputError, TunesmithError

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.version import __version__

__all__ = ["InputError", "Project", "TunesmithError", "__version__"]

_HOMES = {"Project": "tunesmith.project", "__version__": "tunesmith.version"}


def __getattr__(name: str) -> Any:
    """Import what is not needed at each start when it is first asked for (PEP 562): `tunesmith --help` is quick."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Offer what is public, and nothing that was only imported here."""
    return sorted(__all__)
