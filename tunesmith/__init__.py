"""Tunesmith: from a file of examples to a tested, tailored model that you own.

    from tunesmith import Project
    result = Project.open("support-desk").run()
    print(result.verdict["words"], result.report)
"""

from tunesmith.errors import InputError, TunesmithError
from tunesmith.project import Project
from tunesmith.version import __version__

__all__ = ["InputError", "Project", "TunesmithError", "__version__"]
