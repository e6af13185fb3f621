"""Who may import whom, held by reading every import of the package.

The rule: a module imports its own area and areas of lower layers, nothing beside it and nothing above. An area is a
top-level module or folder of the package; each stage and each learner is an area of its own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repo.modules import PACKAGE, ROOT, Import, Module, modules

#: From the ground up. What is not written yet (studio …) has its place already.
LAYERS = (
    ("launch",),
    ("errors", "events", "language", "memory", "settings", "threads", "user_folder", "version", "wording", "workers"),
    ("artifact", "example", "generation", "json_schema", "pip_download", "processes"),
    ("durable_lines", "tool_calls"),
    ("allowed_code", "example_parquet", "decisions", "ratings"),
    ("products", "test_lock", "base_folder", "catalog", "plugins"),
    ("leak_certificate",),
    # The border that learners share, and their model card. Learners themselves are reached through plugins.py by name.
    ("learners.protocol", "learners.model_card", "learners.gradients", "learners.fast_linear"),
    # What their own layers share.
    ("learners.own_layers", "learners.trained_projection"),
    ("learners", "engines"),
    ("training", "scoring", "similarity", "privacy"),
    ("retrieval",),
    # How a question is put, and who answers it.
    ("answering",),
    # What a server keeps of its requests, and the rules and people around them.
    ("deployment",),
    ("sinks", "tombstones"),
    ("stages.context",),
    ("stages",),
    # The model in other forms, replayed on the rows that the stage test may read.
    ("export",),
    # tunesmith.yaml, composed of the stages' own settings.
    ("project_file",),
    ("pipeline",),
    # Project is what users hold; the areas of ONE_AREA are methods of it in files of their own.
    ("project",),
    # Its command starts it.
    ("server",),
    ("tunesmith", "cli", "studio"),
    ("__main__",),
)
LAYER_OF = {area: number for number, areas in enumerate(LAYERS) for area in areas}
ONE_AREA = dict.fromkeys(
    (
        "accept",
        "ask",
        "backup",
        "blind_review",
        "decide",
        "deployed",
        "deploying",
        "exporting",
        "forget",
        "inbox",
        "project_changes",
        "review",
        "rounds",
        "setup_in_use",
        "shown_batch",
        "shown_rows",
        "trials",
        "watching",
    ),
    "project",
)
#: The pipeline is given a Project and names its type; it does not import it when it runs.
UPWARD_FOR_TYPES = {("pipeline", "project"), ("pipeline", "project_file")}
#: `Project.deploy` prepares a version by the server's own code, which it imports when it is called.
UPWARD_WHEN_CALLED = {("tunesmith.deploying", "tunesmith.server.preparing")}

HEAVY = {
    "accelerate",
    "llguidance",
    "peft",
    "presidio_analyzer",
    "safetensors",
    "spacy",
    "tokenizers",
    "torch",
    "transformers",
}
HEAVY_AREAS = (
    "tunesmith.training",
    "tunesmith.similarity",
    "tunesmith.learners",
    "tunesmith.engines",
    "tunesmith.workers",
    "tunesmith.sinks",
    "tunesmith.privacy.name_finder",
)

MODULES = modules()


def area_of(name: str) -> str:
    """The area of a module: ``stages.clean``, ``learners.protocol``, ``pipeline``, ``tunesmith`` itself."""
    parts = name.split(".")[1:]
    if not parts:
        return "tunesmith"
    if parts[0] in ("stages", "learners") and len(parts) > 1:
        return ".".join(parts[:2])
    return ONE_AREA.get(parts[0], parts[0])


def layer_of(area: str) -> int:
    return LAYER_OF[area] if area in LAYER_OF else LAYER_OF[area.split(".")[0]]


def own_imports() -> list[tuple[Module, Import, str, str]]:
    """Every import of one area by another: the module, the import, the two areas."""
    return [
        (module, found, area_of(module.name), area_of(found.name))
        for module in MODULES
        for found in module.imports
        if found.name.split(".")[0] == "tunesmith" and area_of(module.name) != area_of(found.name)
    ]


def test_every_file_of_the_package_was_read():
    known = subprocess.run(["git", "ls-files", "tunesmith/*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    tracked = [ROOT / line for line in known.stdout.splitlines() if (ROOT / line).exists()]
    assert {module.path for module in MODULES} >= set(tracked)
    assert len(MODULES) == len(list(PACKAGE.glob("**/*.py"))) >= 150
    assert len(own_imports()) >= 300


def test_every_area_has_its_place_in_the_layers():
    missing = {area_of(module.name) for module in MODULES} - {"stages", "learners"}
    assert [area for area in missing if area not in LAYER_OF and area.split(".")[0] not in ("stages", "learners")] == []


def test_imports_go_downwards():
    wrong = [
        f"{module.at(found.line)}: {area} imports {other}"
        for module, found, area, other in own_imports()
        if layer_of(other) >= layer_of(area)
        and not (found.types_only and (area, other) in UPWARD_FOR_TYPES)
        and not (found.lazy and (module.name, found.name) in UPWARD_WHEN_CALLED)
    ]
    assert wrong == []


def test_a_stage_never_imports_another_stage():
    stages = [module for module in MODULES if module.name.startswith("tunesmith.stages.")]
    names = {area_of(module.name) for module in stages} - {"stages.context"}
    assert len(names) >= 8
    wrong = [module.at(found.line) for module, found, area, other in own_imports() if area in names and other in names]
    assert wrong == []


def test_nobody_but_plugins_reaches_into_a_learner():
    learners = {path.parent.name for path in PACKAGE.glob("learners/*/__init__.py")}
    assert learners >= {"causal_lm", "classifier"}
    wrong = [
        module.at(found.line)
        for module, found, _, other in own_imports()
        if other in {f"learners.{name}" for name in learners}
    ]
    assert wrong == []


def test_learners_and_engines_know_nothing_of_each_other():
    pairs = {(area.split(".")[0], other.split(".")[0]) for _, _, area, other in own_imports()}
    assert ("learners", "products") in pairs
    assert pairs & {("learners", "engines"), ("engines", "learners")} == set()


def test_the_project_file_knows_nothing_of_stages_but_their_settings():
    imports = [found for module, found, area, _ in own_imports() if area == "project_file"]
    stages = [found.name for found in imports if found.name.startswith("tunesmith.stages.")]
    assert len(stages) >= 8
    assert [name for name in stages if not name.endswith(".settings")] == []


def test_only_the_order_knows_the_order_of_the_stages():
    """A stage's run is found by its word; what the pipeline and the project name are checks before it runs."""
    named = {
        found.name
        for module, found, area, _ in own_imports()
        if area in ("pipeline", "project") and found.name.startswith("tunesmith.stages.") and not found.types_only
    }
    allowed = {
        "tunesmith.stages.context",
        "tunesmith.stages.base.run",  # check, fingerprint, refetch
        "tunesmith.stages.goal.run",  # check, schema_of
        "tunesmith.stages.goal.infer",
        "tunesmith.stages.clean.row_steps",  # review: which rows are in conflict, and what an edit becomes
        "tunesmith.stages.collect.fingerprint",
        "tunesmith.stages.collect.look",
        "tunesmith.stages.collect.settings",
        "tunesmith.stages.train.checks",  # trials train as the stage does
        "tunesmith.stages.train.fit",
        "tunesmith.stages.train.recipe_file",
        "tunesmith.stages.train.settings",
        "tunesmith.stages.train.write",
    }
    assert named <= allowed


def test_heavy_packages_are_imported_only_where_models_are():
    heavy = [(module, found) for module in MODULES for found in module.imports if found.name.split(".")[0] in HEAVY]
    assert len(heavy) >= 20
    wrong = [module.at(found.line) for module, found in heavy if not module.name.startswith(HEAVY_AREAS)]
    assert wrong == []


def test_outside_the_learners_heavy_packages_are_imported_inside_functions():
    eager = [
        module.at(found.line)
        for module in MODULES
        for found in module.imports
        if found.name.split(".")[0] in HEAVY
        and not (found.lazy or found.types_only)
        and not module.name.startswith("tunesmith.learners.")
    ]
    assert eager == []


@pytest.mark.parametrize("what", ["the package", "the command line", "everything outside the learners"])
def test_importing_loads_no_heavy_package(what):
    everything = [module.name for module in MODULES if not module.name.endswith(".__main__")]
    learners = "tunesmith.learners."
    named = {
        "the package": ["tunesmith"],
        "the command line": [name for name in everything if name.startswith("tunesmith.cli")],
        "everything outside the learners": [name for name in everything if not name.startswith(learners)],
    }[what]
    assert named
    code = (
        f"import importlib, sys\nfor name in {named!r}: importlib.import_module(name)\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
