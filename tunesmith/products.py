"""What each stage makes, as typed readers over an artifact's files.

These names are the words between stages, so they live below all of them: a stage never imports
another stage, it reads the other's product.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection as Ids
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tunesmith.artifact import Artifact, read_json
from tunesmith.errors import InputError, TestPartLocked, TunesmithError
from tunesmith.example import Example, Score, Source
from tunesmith.example_parquet import count_rows, example_from_row, read_examples, read_rows

Part = Literal["train", "validation", "test"]
#: Files of a split: what no part leaks to another, and what any round so far has tested.
CERTIFICATE, TESTED = "certificate.json", "tested.parquet"
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Criterion:
    """One line of the goal: this metric, at least this much."""

    metric: str
    at_least: float


@dataclass(frozen=True)
class Rule:
    """What every answer must keep to; what is not given asks for nothing.

    ``field`` names one field of a JSON answer; without it the rule is about the whole answer. ``code`` is the text of
    the file that ``python`` names a function of.
    """

    field: str | None = None
    contains: tuple[str, ...] = ()
    never_contains: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    ends_with: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    matches: str | None = None
    never_matches: str | None = None
    at_least_words: int | None = None
    at_most_words: int | None = None
    language: str | None = None
    at_most_grade: float | None = None
    schema: dict[str, Any] | None = None
    python: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class GoalSheet:
    """What the model should do. ``schema`` is a JSON Schema; ``labels`` are in a fixed order."""

    input: str
    output: Literal["text", "label", "json"]
    system: str
    labels: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    success: tuple[Criterion, ...] = ()
    unknown: Literal["answer", "hand_off"] = "answer"
    confidence: float = 0.5
    inferred: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @classmethod
    def open(cls, artifact: Artifact) -> GoalSheet:
        data = artifact.read_json("goal.json")
        success = tuple(Criterion(**item) for item in data.pop("success"))
        labels, inferred = tuple(data.pop("labels")), tuple(data.pop("inferred"))
        rules = tuple(_rule(item) for item in data.pop("rules", ()))
        return cls(**data, success=success, labels=labels, inferred=inferred, rules=rules)


def _rule(item: dict[str, Any]) -> Rule:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Rule(**given)


@dataclass(frozen=True)
class BaseModel:
    """The model to start from. ``folder`` is a verified local folder in Hugging Face form.

    ``context`` is in tokens; ``parameters`` a count; ``sha256`` that of the weights as fetched (or made).
    ``from_scratch``: its weights are random and its tokenizer is of the user's text, so it knows nothing yet.
    """

    name: str
    kind: Literal["causal_lm", "encoder"]
    folder: Path
    parameters: int
    context: int
    licence: str
    languages: tuple[str, ...]
    source: str
    sha256: str
    reason: str
    from_scratch: bool = False

    @classmethod
    def open(cls, artifact: Artifact) -> BaseModel:
        data = artifact.read_json("base.json")
        data["folder"] = artifact.path / data["folder"]  # an absolute one stays; a fresh model lies in the artifact
        data["languages"] = tuple(data["languages"])
        return cls(**data)


@dataclass(frozen=True)
class SetAsideRow:
    """A row of a source that could not become an example. ``raw`` is the row, whole."""

    uri: str
    row: int
    code: str
    evidence: str
    raw: str


@dataclass(frozen=True)
class Collection:
    """Every row of every source: an example, or set aside with its place and reason.

    ``sources`` has one mapping a file: path, shape, mapping, rows, examples, set_aside, sha256.
    """

    path: Path
    sources: tuple[dict[str, Any], ...]
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Collection:
        return cls(artifact.path, tuple(artifact.read_json("sources.json")), dict(artifact.counts))

    def examples(self) -> Iterator[Example]:
        return read_examples(self.path / "examples.parquet")

    def set_aside(self) -> Iterator[SetAsideRow]:
        for row in read_rows(self.path / "set_aside.parquet"):
            yield SetAsideRow(**row)


@dataclass(frozen=True)
class LedgerLine:
    """What became of one example: ``state`` is kept, flagged (kept, and to be looked at), changed,
    merged or set_aside."""

    id: str
    state: str
    code: str
    evidence: str
    into: str | None = None
    before: str | None = None


#: The one file of a clean set that holds private data, and the one with the sum of its ledger.
PRIVATE_FILE, LEDGER_SUM = "private.parquet", "ledger.json"


@dataclass(frozen=True)
class PrivateRow:
    """A row with private data, as it came in. ``found`` says what and where, in words, without the values."""

    example: Example
    state: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class UnevenFormat:
    """Something that the answers write in several ways: how often each, of the rows that were looked at.

    ``wanted`` is the form that would make it one, None where no rule is safe. ``firsts`` has a text for each form.
    """

    code: str
    where: str
    forms: dict[str, int]
    wanted: str | None
    firsts: dict[str, str]

    @property
    def exceptions(self) -> int:
        """The rows that are not in the commonest form, or not in the wanted one."""
        return sum(self.forms.values()) - self.forms.get(self.wanted or "", max(self.forms.values()))


#: What `clean` saw in a look at the whole set.
SURVEY_FILE = "survey.json"


@dataclass(frozen=True)
class Survey:
    """What a look at the whole set showed: ``looked_at`` of ``rows`` rows, evenly spread."""

    rows: int = 0
    looked_at: int = 0
    uneven: tuple[UnevenFormat, ...] = ()


@dataclass(frozen=True)
class CleanSet:
    """The examples that stay, those set aside, and the ledger (rows kept untouched have no line)."""

    path: Path
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> CleanSet:
        return cls(artifact.path, dict(artifact.counts))

    def examples(self, ids: Ids[str] | None = None) -> Iterator[Example]:
        return read_examples(self.path / "examples.parquet", ids)

    def places(self, ids: Ids[str]) -> dict[str, str]:
        """Where these rows came from, by id, in file order."""
        rows = read_rows(self.path / "examples.parquet", ["id", "uri", "row"])
        return {row["id"]: Source(row["uri"], row["row"]).where for row in rows if row["id"] in ids}

    def set_aside(self) -> Iterator[Example]:
        return read_examples(self.path / "set_aside.parquet")

    def private(self) -> Iterator[PrivateRow]:
        """The rows in which private data was found, with it: for their owner alone."""
        for row in read_rows(self.path / PRIVATE_FILE):
            yield PrivateRow(example_from_row(row), row["state"], tuple(row["found"]))

    def ledger_sum(self) -> dict[str, int] | None:
        """The sum that the stage checked and stored: in, kept (changed ones among them), merged and set_aside.

        None for a clean set of an earlier version. It is added up again from the files. Raises TunesmithError
        ``ledger_broken`` when it is not what they hold.
        """
        if not (self.path / LEDGER_SUM).exists():
            return None
        told: dict[str, int] = read_json(self.path / LEDGER_SUM)
        files = {"kept": "examples.parquet", "merged": "merged.parquet", "set_aside": "set_aside.parquet"}
        found = {state: count_rows(self.path / name) for state, name in files.items()}
        if any(told[state] != number for state, number in found.items()) or told["in"] != sum(found.values()):
            raise TunesmithError(
                "ledger_broken",
                f"the ledger's sum is {told}, and its files hold {found}",
                str(self.path),
                "`tunesmith run --to clean --from-scratch` makes it again",
            )
        return told

    def ledger(self) -> Iterator[LedgerLine]:
        for row in read_rows(self.path / "ledger.parquet"):
            yield LedgerLine(**row)

    @property
    def survey(self) -> Survey:
        """What the look at the whole set showed; nothing for a set that was made before there was one."""
        if not (self.path / SURVEY_FILE).exists():
            return Survey()
        data = read_json(self.path / SURVEY_FILE)
        return Survey(**{**data, "uneven": tuple(UnevenFormat(**one) for one in data["uneven"])})

    def coverage(self) -> dict[str, Any] | None:
        """How much of the goal the examples cover, and what to collect next; None in a set of an earlier version."""
        path = self.path / "coverage.json"
        return read_json(path) if path.exists() else None


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One row as the model sees it.

    ``tokens``: int ids, ``[length]``. ``trained``: one bool a token, True where the loss looks
    (causal models). ``label``: index into the goal's labels (classifiers), else None.
    ``prompt_tokens`` is how many leading tokens make the prompt. ``rejected`` and
    ``rejected_trained`` are the row with the answer that should not be given in place of the last one;
    empty where the example names none.
    """

    id: str
    tokens: list[int]
    trained: list[bool]
    label: int | None
    weight: float
    prompt_tokens: int
    rejected: list[int] = field(default_factory=list)
    rejected_trained: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Dataset:
    """What the model will see, token by token. ``facts`` has token counts and the context used."""

    path: Path
    facts: dict[str, Any]
    counts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Dataset:
        return cls(artifact.path, artifact.read_json("format.json"), dict(artifact.counts))

    def rows(self, ids: Ids[str] | None = None) -> Iterator[EncodedRow]:
        for row in read_rows(self.path / "rows.parquet"):
            if ids is None or row["id"] in ids:
                yield EncodedRow(**row)

    def ids(self) -> list[str]:
        return [row["id"] for row in read_rows(self.path / "rows.parquet", ["id"])]

    def set_aside(self) -> Iterator[LedgerLine]:
        for row in read_rows(self.path / "set_aside.parquet"):
            yield LedgerLine(**row)


@dataclass(frozen=True)
class LeftOut:
    """A row in no part, why, and the row that it is too like: ``where`` and ``like_where`` are their places."""

    id: str
    reason: str
    like: str
    similarity: float
    where: str
    like_where: str


@dataclass(frozen=True)
class Splits:
    """Which example is in which part: ids, not copies.

    ``readable`` are the parts that the holder may read. What trains is given train and validation
    alone; asking for another part raises TestPartLocked.
    """

    path: Path
    facts: dict[str, Any]
    counts: dict[str, Any]
    readable: tuple[Part, ...] = ("train", "validation")
    holder: str = "train"

    @classmethod
    def open(cls, artifact: Artifact, *, holder: str, readable: tuple[Part, ...]) -> Splits:
        return cls(artifact.path, artifact.read_json("split.json"), dict(artifact.counts), readable, holder)

    def ids(self, part: Part) -> list[str]:
        """The ids of a part, in a fixed order."""
        if part not in self.readable:
            raise TestPartLocked(self.holder)
        return [row["id"] for row in read_rows(self.path / f"{part}.parquet")]

    def certificate(self) -> dict[str, Any] | None:
        """The leak certificate; pairs with a row of a part that the holder may not read are left out of it."""
        if not (self.path / CERTIFICATE).exists():
            return None
        data: dict[str, Any] = read_json(self.path / CERTIFICATE)
        data["highest"] = [pair for pair in data["highest"] if all(part in self.readable for part in pair["parts"])]
        return data

    def left_out(self) -> Iterator[LeftOut]:
        """The rows that are in no part, since they are too like a row of a part that the user gave."""
        for row in read_rows(self.path / "left_out.parquet"):
            yield LeftOut(**row)

    @property
    def test_sha256(self) -> str:
        """The lock: a hash over the ids and contents of the test part."""
        return str(self.facts["test_sha256"])


@dataclass(frozen=True)
class TrainedExample:
    """What training did with one example: the optimizer ``steps`` (from 1) that it was in, how many of them led to
    the weights that were kept, and its mean ``loss`` a trained token (or label) the last time."""

    id: str
    steps: list[int]
    times_kept: int
    loss: float | None


@dataclass(frozen=True)
class GroupGain:
    """What training brought a group of ``n`` validation rows: their mean loss before it and at the kept step, the
    95% interval of what it fell by (None for very few rows), and the share of their tokens (or labels, or pairs)
    that were right. ``kind``: tag, label, source, or the name of a field; an empty ``name`` stands for all groups
    that are too small to be told apart."""

    kind: str
    name: str
    n: int
    loss_before: float
    loss: float
    gain_low: float | None
    gain_high: float | None
    accuracy_before: float
    accuracy: float

    @property
    def gain(self) -> float:
        return self.loss_before - self.loss

    @property
    def is_rest(self) -> bool:
        return not self.name


@dataclass(frozen=True)
class Forgetting:
    """Whether training cost general ability. ``code``: kept, little_lost, much_lost or not_measured; ``words`` say why.

    ``loss_before`` and ``loss``: of the base and of the tuned model, a token of the base's own answers to ``n`` general
    prompts, with the 95% interval of the difference; ``right``: the share of these tokens that the tuned model
    would still choose.
    """

    code: str
    words: str
    advice: str = ""
    n: int = 0
    loss_before: float = 0.0
    loss: float = 0.0
    low: float = 0.0
    high: float = 0.0
    right: float = 0.0


@dataclass(frozen=True)
class TunedModel:
    """The trained model in the form that the ecosystem loads.

    ``folder``: a PEFT adapter or a whole model, with tokenizer and model card. ``curve``: a list
    of measurements by step. ``verdict``: code and plain words. ``recipe``: every setting as used. ``groups``: what
    each group of validation rows gained. ``forgetting``: what became of general ability; None for a model
    that gives no answers.
    """

    folder: Path
    learner: str
    recipe: dict[str, Any]
    curve: tuple[dict[str, Any], ...]
    verdict: dict[str, Any]
    facts: dict[str, Any]
    groups: tuple[GroupGain, ...] = ()
    forgetting: Forgetting | None = None

    def trained_examples(self) -> Iterator[TrainedExample]:
        """The ledger of the training that made the weights: every example that it was given.

        Raises InputError for a model that was trained before there was a ledger.
        """
        ledger = self.folder.parent / "examples.parquet"
        if not ledger.exists():  # an artifact whose files are not all there is not opened, so it never had one
            raise InputError(
                "no_ledger",
                "this model was trained before Tunesmith kept a ledger of which example was trained when",
                str(self.folder.parent),
                "`tunesmith train` trains it again, with a ledger",
            )
        for row in read_rows(ledger):
            yield TrainedExample(**row)

    def hardest(self, count: int) -> list[TrainedExample]:
        """The examples with the highest loss the last time they were trained, the highest first."""
        trained = (line for line in self.trained_examples() if line.loss is not None)
        return heapq.nlargest(count, trained, key=lambda line: line.loss or 0.0)

    @classmethod
    def open(cls, artifact: Artifact) -> TunedModel:
        data = artifact.read_json("train.json")
        return cls(
            artifact.path / "model",
            data["learner"],
            data["recipe"],
            tuple(data["curve"]),
            data["verdict"],
            data["facts"],
            tuple(GroupGain(**group) for group in data.get("groups", ())),
            Forgetting(**data["forgetting"]) if data.get("forgetting") else None,
        )


@dataclass(frozen=True)
class Advice:
    """Prompt, retrieval, fine-tuning or both, as measured on validation rows.

    ``arms``: one mapping an arm that was measured, from the simplest to the most work: name, setup, words, score,
    meets, behind (None of the best), cost. ``left_out``: why other arms were not. ``advice``: answer (prompt, examples,
    retrieval, tuned, tuned_retrieval or cannot_tell), arm, words, reasons, changes. ``facts``: metric, rows, whether
    there was a tuned model, the prompts that were tried. ``table``: the arms as the page shows them, its heads first.
    """

    folder: Path
    arms: tuple[dict[str, Any], ...]
    left_out: dict[str, str]
    advice: dict[str, Any]
    facts: dict[str, Any]
    table: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def open(cls, artifact: Artifact) -> Advice:
        data = artifact.read_json("advise.json")
        table = tuple(map(tuple, data["table"]))
        return cls(artifact.path, tuple(data["arms"]), data["left_out"], data["advice"], data["facts"], table)

    def setup(self, arm: str) -> dict[str, Any] | None:
        """An arm's set-up as JSON, None for one that was not measured."""
        return next((one["setup"] for one in self.arms if one["name"] == arm), None)

    def vectors(self) -> Iterator[tuple[str, bytes]]:
        """The training examples that similar ones are chosen among: id, and float16 vector (empty without encoder)."""
        for row in read_rows(self.folder / "examples.parquet"):
            yield row["id"], row["vector"]

    @property
    def markdown(self) -> Path:
        return self.folder / "advise.md"


@dataclass(frozen=True)
class Report:
    """Is it good enough: scores by candidate, differences, the goal's verdict, the worst rows.

    ``scores[candidate]`` is a list of Score. ``verdict``: decision (ship, do_not_ship, not_enough_evidence), code of
    the goal (met, not_met, too_few_examples, no_goal), words, and one entry a criterion.
    """

    folder: Path
    scores: dict[str, list[Score]]
    differences: list[dict[str, Any]]
    verdict: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, artifact: Artifact) -> Report:
        data = artifact.read_json("test.json")
        scores = {name: [Score(**score) for score in scores] for name, scores in data["scores"].items()}
        return cls(artifact.path, scores, data["differences"], data["verdict"], data["facts"])

    def predictions(self) -> Iterator[dict[str, Any]]:
        """One mapping a test row: id, input, reference, and each candidate's answer and scores."""
        yield from read_rows(self.folder / "predictions.parquet")

    @property
    def html(self) -> Path:
        return self.folder / "report.html"

    @property
    def markdown(self) -> Path:
        return self.folder / "report.md"


#: In the order in which they are shown: what is wrong first, then what is missing.
ProposedKind = Literal["relabel", "remove", "add", "label", "collect", "settings"]


@dataclass(frozen=True)
class Gain:
    """What an item should bring, in points of the score (0 to 1), with an interval; ``at_most``: it is a ceiling."""

    value: float
    low: float
    high: float
    at_most: bool = False


@dataclass(frozen=True)
class ProposedItem:
    """One thing to do. ``evidence``: why, a sentence each. ``gain``: None where it is not known; ``how`` says how it
    was estimated, or why it was not. ``rows``: how many rows it is about. ``setting``: a key of the project file and
    the value to give it."""

    id: str
    kind: ProposedKind
    what: str
    evidence: tuple[str, ...] = ()
    gain: Gain | None = None
    how: str = ""
    rows: int = 0
    setting: tuple[str, Any] | None = None

    @property
    def accepted_by_itself(self) -> bool:
        """Whether accepting it changes anything; examples that are missing must be collected by a person."""
        return self.kind != "collect"


@dataclass(frozen=True)
class ProposedRow:
    """A row of an item: its example id (none for a row that is not in the data), what it asks, its answer now, and the
    answer that is proposed; ``why`` in words, ``where`` it stands."""

    item: str
    id: str
    input: str
    answer: str
    proposed: str
    why: str
    where: str


@dataclass(frozen=True)
class Proposal:
    """What to do next, to be accepted in parts. Nothing was changed by making it."""

    path: Path
    id: str
    items: tuple[ProposedItem, ...]
    facts: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact) -> Proposal:
        data = artifact.read_json("proposal.json")
        return cls(artifact.path, artifact.id, tuple(_item(item) for item in data["items"]), data["facts"])

    def rows(self, item: str | None = None) -> Iterator[ProposedRow]:
        """The rows of one item, or of all."""
        for row in read_rows(self.path / "rows.parquet"):
            if item is None or row["item"] == item:
                yield ProposedRow(**row)


def _item(item: dict[str, Any]) -> ProposedItem:
    gain = Gain(**item["gain"]) if item["gain"] else None
    setting = (item["setting"][0], item["setting"][1]) if item["setting"] else None
    return ProposedItem(**{**item, "evidence": tuple(item["evidence"]), "gain": gain, "setting": setting})
