"""Export a project's trained model, with the rows and the goal that it was made with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import plugins
from tunesmith.artifact import Artifact, read_json
from tunesmith.base_folder import verify
from tunesmith.engines.upstream import Upstream
from tunesmith.errors import InputError
from tunesmith.export.forms import Form, at_upstream, form_of, served_wide, shrinking
from tunesmith.export.reference import Reference, Tell, reference
from tunesmith.export.run import Exported, export, identity_of, refused_files, share, whole_certificate
from tunesmith.export.shrink import Tried, shrink
from tunesmith.pipeline.order import BY_NAME, open_product
from tunesmith.pipeline.stale import identity as known_as
from tunesmith.products import TunedModel
from tunesmith.threads import be_patient

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Where exports lie in a project.
FOLDER = "exports"


def export_as(
    project: Project,
    to: str,
    *,
    precision: str | None = None,
    out: Path | None = None,
    rows: int | None = None,
    train: Artifact | None = None,
    tell: Tell,
) -> Exported:
    """Export the model that was trained last, or an earlier one, in one form; ``rows`` in place of the setting's."""
    be_patient()
    inputs = made_with(project, train)
    form = form_of(inputs["train"].learner, to, precision)
    return _export(project, inputs, form, out or project.root / FOLDER / form.name, rows, tell, None)


def keep_as(
    project: Project, to: str, precision: str, out: Path, train: Artifact, tell: Tell, *, wide: bool = False
) -> Exported:
    """An export that later ones do not replace, in a folder of its own; ``wide``: certified as it is served in float32.

    One that is there and whole is taken as it is: what it was made with may be gone by now. The files of the user's own
    export in the same form are shared with it (hard links), not copied; there is none in a ``wide`` form.
    """
    form = form_of(TunedModel.open(train).learner, to, precision)
    form = served_wide(form) if wide else form
    if (certificate := whole_certificate(out)) is not None:
        return Exported(form, out, certificate, fresh=False)
    be_patient()
    inputs = made_with(project, train)
    settings = _settings(project, None)
    identity = identity_of(inputs, settings, form, project.settings.name, plugins.learner(inputs["train"].learner))
    if (certificate := share(project.root / FOLDER / form.name, out, identity)) is not None:
        return Exported(form, out, certificate, fresh=False)
    return _export(project, inputs, form, out, None, tell, None)


def certify_upstream(
    project: Project, upstream: Upstream, out: Path, train: Artifact, tell: Tell, *, again: bool
) -> Exported:
    """The certificate of a server that has the model, in the folder ``out``; with ``again`` made anew where there is
    one. Raises TunesmithError ``export_refused`` where it does not answer as the model."""
    form = at_upstream(TunedModel.open(train).learner, upstream)
    be_patient()
    return _export(project, made_with(project, train), form, out, None, tell, None, again=again)


def shrink_project(project: Project, *, rows: int | None = None, tell: Tell) -> list[Tried]:
    """Export the trained model in every form that is smaller than the one before, and tell which are let out."""
    be_patient()
    inputs = made_with(project)

    @cache
    def ask() -> Reference:
        return reference(inputs, _settings(project, rows), tell=tell)

    def place(form: Form) -> Path:
        return project.root / FOLDER / form.name

    return shrink(
        shrinking(inputs["train"].learner),
        lambda form: _export(project, inputs, form, place(form), rows, tell, ask),
        lambda form: read_json(refused_files(place(form))[0]),
    )


def _export(
    project: Project,
    inputs: dict[str, Any],
    form: Form,
    out: Path,
    rows: int | None,
    tell: Tell,
    ask: Any,
    *,
    again: bool = False,
) -> Exported:
    settings = project.settings
    return export(
        inputs,
        _settings(project, rows),
        form,
        out,
        name=settings.name,
        cache=project.cache,
        seed=settings.seed,
        ask=ask,
        tell=tell,
        again=again,
    )


def _settings(project: Project, rows: int | None) -> Any:
    settings = project.settings.export
    return settings if rows is None else settings.model_copy(update={"rows": rows})


def made_with(project: Project, train: Artifact | None = None) -> dict[str, Any]:
    """A trained model, the last one by default, and what it was trained with: never the parts of a later split, which
    may hold its own rows.

    Raises InputError ``not_made`` without a model, ``made_without`` when any of it is gone, and ``base_gone``.
    """
    train = train or project.store.latest("train")
    if train is None:
        raise InputError("not_made", "the stage 'train' was not made yet", fix="tunesmith run --to train")
    known = train.made_by["inputs"]
    needed = {name: _known_as(project, name, known.get(name, "")) for name in BY_NAME["train"].needs}
    artifacts = {"train": train, **needed}
    gone = [name for name, artifact in artifacts.items() if artifact is None]
    if gone:
        raise InputError(
            "made_without",
            f"what the model was trained with is gone or another by now: {', '.join(gone)}",
            str(project.root),
            "`tunesmith run --to train` trains it again",
        )
    products = {name: open_product(BY_NAME[name], artifact, BY_NAME["test"]) for name, artifact in artifacts.items()}
    verify(products["base"].folder)
    return products


def _known_as(project: Project, stage: str, known: str) -> Artifact | None:
    """What the stage made that training knew by this; the latest of several."""
    latest = project.store.latest(stage)
    ids = [path.name.removeprefix(f"{stage}-") for path in sorted(project.store.artifacts.glob(f"{stage}-*"))]
    for artifact in (latest, *(project.store.find(stage, id) for id in ids)):
        # earlier versions knew each by its artifact alone
        if artifact is not None and known in (known_as(stage, artifact, BY_NAME["train"]), artifact.id):
            return artifact
    return None
