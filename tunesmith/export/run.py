"""Export the trained model in one form: write it, replay test rows through it, and let it out or refuse it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunesmith import plugins
from tunesmith.answering.answerer import of_model
from tunesmith.artifact import MANIFEST, fsync, hash_of, make_folder, read_json, sha256_of, write_json
from tunesmith.errors import InputError, TunesmithError
from tunesmith.export import certificate as certificates
from tunesmith.export.certificate import Certificate
from tunesmith.export.certify import certify
from tunesmith.export.files import facts, write_files
from tunesmith.export.forms import Form
from tunesmith.export.reference import Reference, Tell, reference, silent
from tunesmith.export.settings import ExportSettings
from tunesmith.export.unfinished import before_of, sweep, work_beside

#: Raised when the same model gives other files or another certificate than before.
VERSION = 3
#: Differing rows that a refusal names.
NAMED = 3


@dataclass(frozen=True)
class Exported:
    """A form that was let out: its ``folder``, and the certificate as it stands in it. ``fresh``: it was made now."""

    form: Form
    folder: Path
    certificate: Mapping[str, Any]
    fresh: bool


def export(
    inputs: Mapping[str, Any],
    settings: ExportSettings,
    form: Form,
    out: Path,
    *,
    name: str,
    cache: Path,
    seed: int = 0,
    find_learner: Any = plugins.learner,
    ask: Callable[[], Reference] | None = None,
    tell: Tell = silent,
    again: bool = False,
) -> Exported:
    """Write the model as ``form`` into the folder ``out``, whole or not at all, with its certificate.

    ``ask`` gives the reference, where several forms share one. With ``again`` an export that is there already is made
    anew. Raises TunesmithError ``export_refused`` when the form
    does not keep what ``settings`` ask; the certificate then lies beside ``out``.
    """
    learner = find_learner(inputs["train"].learner)
    identity = identity_of(inputs, settings, form, name, learner)
    if (known := _up_to_date(out, identity)) is not None and not again:
        return Exported(form, out, known, fresh=False)
    given = ask() if ask else reference(inputs, settings, find_learner=find_learner, tell=tell)
    goal, base, tuned = inputs["goal"], inputs["base"], inputs["train"]
    if form.learner == "causal_lm" and form.upstream is None:
        learner.predict.release()  # writing needs the memory
    with _beside(out) as work:
        tell(f"writing {form.name}", 0, 0)
        context = min(base.context, max(2048, given.context))
        notes = write_files(
            form, learner, base, goal, tuned, work, name=name, context=context, limit=given.limit, cache=cache
        )
        found = certify(inputs, settings, form, work, given, learner, notes=notes, seed=seed, tell=tell)
        certificates.write(found, work, identity=identity, made_at=time.time(), **facts(base, tuned))
        if found.refused:
            _keep_refusal(work, out)
            raise _refusal(found, form, out)
        _seal(work, identity)
        _put(work, out)
    for path in refused_files(out):
        path.unlink(missing_ok=True)
    return Exported(form, out, read_json(out / certificates.FILE), fresh=True)


def identity_of(inputs: Mapping[str, Any], settings: ExportSettings, form: Form, name: str, learner: Any) -> str:
    """What the folder would hold: the same identity, the same files."""
    goal, base, tuned = inputs["goal"], inputs["base"], inputs["train"]
    model = of_model(learner, "tuned", base, goal, tuned, max_new_tokens=0).identity
    told = [VERSION, form.name, name, model, asdict(goal), settings.model_dump(), inputs["split"].test_sha256]
    return hash_of([*told, form.upstream.told] if form.upstream is not None else told)


def _up_to_date(out: Path, identity: str) -> Mapping[str, Any] | None:
    """The certificate in ``out``, when it is this export, whole. Raises InputError for a folder of somebody else's."""
    if not out.exists():
        return None
    if not (out / MANIFEST).is_file():
        if out.is_dir() and not any(out.iterdir()):
            return None
        raise InputError(
            "export_in_the_way",
            "this folder is not one that an export wrote, so it is not replaced",
            str(out),
            "name another with --out, or remove it",
        )
    if read_json(out / MANIFEST).get("identity") != identity:
        return None
    return whole_certificate(out)


def whole_certificate(out: Path) -> Mapping[str, Any] | None:
    """The certificate of an export that is there with all its files; None where it is not."""
    if not (out / MANIFEST).is_file():
        return None
    manifest = read_json(out / MANIFEST)
    for name, entry in manifest["files"].items():
        path = out / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            return None
    certificate: Mapping[str, Any] = read_json(out / certificates.FILE)
    return certificate


def share(made: Path, out: Path, identity: str) -> Mapping[str, Any] | None:
    """Give an export that is there a second folder, its files shared; None where it is not this export, or no disk
    for both."""
    if not (made / MANIFEST).is_file() or (known := _up_to_date(made, identity)) is None:
        return None
    with _beside(out) as work:
        try:
            for path in made.rglob("*"):
                if path.is_file():
                    place = work / path.relative_to(made)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.hardlink_to(path)
        except OSError:  # another disk, or one without links
            return None
        fsync(work)
        _put(work, out)
    return known


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder to write in, beside the export; what killed ones left there goes first."""
    make_folder(out.parent)
    sweep(out.parent, out.name)
    with work_beside(out) as work:
        try:
            yield work
        except OSError as error:
            if error.filename is None:  # a write that failed knows no name; the disk that is full may be another one
                error.filename = str(out)
            raise


def _seal(work: Path, identity: str) -> None:
    """Hash and fsync every file, and write the manifest."""
    files = {}
    for path in sorted(path for path in work.rglob("*") if path.is_file()):
        files[str(path.relative_to(work))] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        fsync(path)
    write_json(work / MANIFEST, {"identity": identity, "version": VERSION, "files": files})
    fsync(work)


def _put(work: Path, out: Path) -> None:
    """Rename into place, an earlier export out of the way first."""
    before = before_of(out)
    if out.exists():
        out.rename(before)
    try:
        work.rename(out)
    except BaseException:
        if before.exists():
            before.rename(out)
        raise
    fsync(out.parent)
    shutil.rmtree(before, ignore_errors=True)


def refused_files(out: Path) -> tuple[Path, Path]:
    """Where the certificate of a refused export lies: as JSON, and as a page."""
    return out.with_name(f"{out.name}.refused.json"), out.with_name(f"{out.name}.refused.md")


def _keep_refusal(work: Path, out: Path) -> None:
    for name, target in zip((certificates.FILE, certificates.PAGE), refused_files(out), strict=True):
        (work / name).replace(target)
        with suppress(OSError):
            fsync(target)


def _refusal(found: Certificate, form: Form, out: Path) -> TunesmithError:
    differing = sorted(found.comparison.differences, key=lambda one: -one.gap)[:NAMED]
    rows = "".join(f"\n  row {one.id}: {one.expected!r} became {one.got!r} ({one.cause})" for one in differing)
    other = found.comparison.other_prompts[:NAMED]
    prompts = f"\n  rows with another prompt: {', '.join(other)}" if other else ""
    return TunesmithError(
        "export_refused",
        f"{found.form} does not answer as the trained model does: {'; '.join(found.faults)}{prompts}{rows}",
        str(refused_files(out)[1]),
        f"{_instead(form)}, or allow more with export.same_answers_at_least and export.score_loss_at_most",
    )


def _instead(form: Form) -> str:
    """What keeps the trained model's answers better than this form."""
    if form.upstream is not None:
        more = ", computed in float32 (`vllm serve --dtype float32`)" if form.upstream.kind == "vllm" else ""
        return f"let the upstream serve what `tunesmith export` wrote, with the chat template inside{more}"
    if form.wide:
        return "serve the model as it was tested (--engine torch)"
    if form.precision == "f16":
        return (
            "export --precision f32 (`tunesmith serve` needs none: it computes in float32 with the f16 file, under a "
            "certificate of its own)"
        )
    return "export a more exact form (--precision)"
