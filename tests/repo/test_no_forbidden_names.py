"""What this code never does: vague module names, printing in the library, running code that came with data."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.repo.modules import ROOT, Module, modules

MODULES = modules()
VAGUE = {"util", "common", "core", "helper", "base", "manager", "misc", "tool", "shared", "lib", "stuff"}
#: `base` is the user's word for the model to start from.
THE_USERS_WORD = {
    "tunesmith/stages/base",
    "tunesmith/cli/base.py",
    "tunesmith/cli/show/base.py",
    "tunesmith/products/base.py",
}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
LOADS_PICKLES = {"torch.load", "numpy.load", "np.load", "pandas.read_pickle", "yaml.load", "eval", "exec"}


def calls() -> Iterator[tuple[Module, ast.Call, str]]:
    """Every call in the package with the name that is called, dots included."""
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                yield module, node, ast.unparse(node.func)


def test_the_loops_below_see_the_whole_package():
    assert len(MODULES) >= 150
    assert sum(1 for _ in calls()) >= 3000


def test_no_module_has_a_name_that_says_nothing():
    seen = {path for module in MODULES for path in (module.path, *module.path.parents) if path.is_relative_to(ROOT)}
    vague = {
        path.relative_to(ROOT).as_posix()
        for path in seen
        if path != ROOT and (path.stem in VAGUE or path.stem.removesuffix("s") in VAGUE)
    }
    assert vague == THE_USERS_WORD


def test_the_library_does_not_print():
    printing = [
        module.at(call.lineno)
        for module, call, name in calls()
        if name in ("print", "sys.stdout.write", "sys.stderr.write") and not module.name.startswith("tunesmith.cli")
    ]
    assert printing == []


def test_nothing_is_unpickled():
    imported = [
        module.at(found.line)
        for module in MODULES
        for found in module.imports
        if found.name.split(".")[0] in UNPICKLERS
    ]
    called = [
        module.at(call.lineno)
        for module, call, name in calls()
        if name in LOADS_PICKLES and (module.name, name) != ("tunesmith.allowed_code", "exec")
    ]
    assert imported + called == []


def test_no_code_from_a_models_repository_is_run():
    trusting = [
        module.at(call.lineno)
        for module, call, _ in calls()
        for keyword in call.keywords
        if keyword.arg in ("trust_remote_code", "allow_pickle", "shell")
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    named = [module.at(1) for module in MODULES if '"trust_remote_code": True' in module.path.read_text("utf-8")]
    assert trusting + named == []
