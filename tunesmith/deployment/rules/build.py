"""Make the rules of a project ready, with all that is wrong told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tunesmith.artifact import hash_of, make_folder, read_json, write_json
from tunesmith.deployment.guard import Guard, NoGuard
from tunesmith.deployment.rules import ready
from tunesmith.deployment.rules.guard import Rules
from tunesmith.deployment.rules.patterns import Patterns
from tunesmith.deployment.rules.ready import Ready
from tunesmith.deployment.rules.settings import RuleSettings
from tunesmith.deployment.rules.topics import Encoder, Fit, Topic, among, fit, nearness
from tunesmith.deployment.rules.words import Words
from tunesmith.errors import InputError, raise_all
from tunesmith.privacy.name_finder import require_names
from tunesmith.privacy.span import KINDS, NAME_KINDS

#: Where fitted thresholds are kept, in a project's own folder.
FITS = "serve/topics.json"
#: Goes up when thresholds are fitted in another way.
WAY = 2


@dataclass(frozen=True)
class Surroundings:
    """What rules need of a project.

    ``encoder``: folder and sha256, None where it is not here. ``inputs``: training inputs to fit thresholds to, known
    by ``inputs_id``. ``kept``: the file for what was fitted. ``tell`` is told of it. ``where`` tells the place of a
    setting by its keys.
    """

    root: Path
    encoder: tuple[Path, str] | None = None
    inputs: Callable[[], Sequence[str]] = tuple
    inputs_id: str = ""
    kept: Path | None = None
    tell: Callable[[str], None] = field(default=lambda words: None)
    where: Callable[[Sequence[str | int]], str] = field(default=lambda keys: ".".join(map(str, keys)))


def build(rules: Sequence[RuleSettings], given: Surroundings) -> Guard:
    """A guard of these rules.

    Raises InputError or Faults: ``encoder_missing``, ``no_inputs``, ``words_missing``, ``missing_extra``.
    """
    if not rules:
        return NoGuard()
    found: list[Ready] = []
    faults: list[InputError] = []
    encoder = Encoder(given.encoder[0]) if given.encoder else None
    for number, rule in enumerate(rules):
        try:
            found.append(_ready(rule, given.where(("serve", "rules", number, rule.look)), given, encoder))
        except InputError as error:
            faults.append(error)
    raise_all(faults)
    return Rules(found)


def _ready(rule: RuleSettings, where: str, given: Surroundings, encoder: Encoder | None) -> Ready:
    if rule.private:
        kinds = frozenset(KINDS if rule.private == "all" else rule.private)
        named = bool(kinds & set(NAME_KINDS))
        if named:
            require_names(where)
        return ready.of_private(rule, kinds, slow=named)
    if rule.words:
        return ready.of_found(rule, Words(_words(rule.words, where, given.root), disguised=rule.disguised))
    if rule.patterns:
        return ready.of_found(rule, Patterns(rule.patterns))
    if rule.topics:
        return ready.of_topic(rule, _topic(rule, where, given, encoder))
    makers = {
        "injections": ready.of_injections,
        "repeats": ready.of_repeats,
        "fits_schema": ready.of_schema,
        "at_most_words": ready.of_length,
        "goal_rules": ready.of_goal,
    }
    return makers[rule.look](rule)


def _words(given: str | list[str], where: str, root: Path) -> list[str]:
    """The words themselves, or those of a file, one a line; lines that begin with # are comments."""
    if not isinstance(given, str):
        return given
    path = root / given
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fix = "name a UTF-8 text file with a word or phrase a line, or give a list"
        raise InputError("words_missing", f"the words in {given!r} cannot be read ({error})", where, fix) from error
    words = [line.strip() for line in lines if any(map(str.isalnum, line)) and not line.lstrip().startswith("#")]
    if not words:
        raise InputError("words_missing", f"there are no words in {given!r}", where, "write a word or phrase a line")
    return words


def _topic(rule: RuleSettings, where: str, given: Surroundings, encoder: Encoder | None) -> Topic:
    examples = rule.topics or []
    if encoder is None or given.encoder is None:
        what = "topics are told by the encoder, which is not here"
        raise InputError("encoder_missing", what, where, "tunesmith run --to clean --set clean.encoder=always")
    vectors = encoder.vectors(examples).result()
    key = hash_of([WAY, given.encoder[1], given.inputs_id, examples, rule.threshold])
    found = _kept_fit(given.kept, key)
    if found is None:
        texts = given.inputs()
        if not texts and rule.threshold is None:
            what = "there are no training inputs to fit the threshold to"
            raise InputError("no_inputs", what, where, "tunesmith run --to split, or give serve.rules[].threshold")
        near = nearness(encoder.vectors(texts).result(), np.concatenate(vectors))
        found = fit(among(vectors), near, rule.threshold)
        _keep_fit(given.kept, key, found)
    given.tell(f"rule {rule.name}: {found.words}")
    if not found.stands_out:
        given.tell(
            f"rule {rule.name}: the examples are hardly told from the training inputs: give more, and clearer ones"
        )
    return Topic(encoder, np.concatenate(vectors), found.threshold)


def _kept_fit(path: Path | None, key: str) -> Fit | None:
    if path is None or not path.exists():
        return None
    data = read_json(path)
    found = data.get(key) if isinstance(data, dict) else None
    return Fit(**found) if found else None


def _keep_fit(path: Path | None, key: str, found: Fit) -> None:
    """Keep the latest few fits."""
    if path is None:
        return
    data = read_json(path) if path.exists() else {}
    make_folder(path.parent)
    write_json(path, {**dict(list(data.items())[-31:]), key: asdict(found)})
