"""Tell by their names which column goes in and which comes out."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.errors import InputError
from tunesmith.privacy.mask import masked_text
from tunesmith.stages.collect.settings import SourceSettings


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


INPUT_NAMES = _words(
    """message messages text texts input inputs question questions prompt prompts query queries ticket tickets body
    utterance utterances sentence request requests content article passage tweet review complaint inquiry enquiry
    instruction transcript customer_message user_message email_body ticket_text ticket_body input_text source_text
    user_input user_query customer_query message_text message_body question_text prompt_text"""
)
#: These go in when no column has one of the names above: often they hold an address or an origin.
WEAK_INPUT_NAMES = _words("email mail document comment description post source src user human q")
OUTPUT_NAMES = _words(
    """label labels category categories intent intents answer answers reply replies output outputs completion
    completions response responses target targets team teams class classes topic topics sentiment emotion department
    queue route priority urgency severity summary translation assistant gold expected expected_output ideal solution
    resolution output_text target_text label_text label_name intent_name category_name class_name answer_text
    response_text reply_text bot model_answer a"""
)
#: Columns that hold a text to be learned whole.
TEXT_NAMES = _words("text content document passage body story article")
#: Columns that hold neither side unless the settings say so.
NEVER = _words(
    """id ids index idx row row_id uuid guid key number no date time datetime timestamp created created_at updated
    updated_at unnamed:_0 split weight example_id ticket_id message_id user_id customer_id conversation_id"""
)
#: Pairs that are the field's own names for prompt and completion.
PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("question", "answer"),
    ("question", "response"),
    ("query", "response"),
    ("query", "answer"),
    ("input", "output"),
    ("text", "label"),
    ("source", "target"),
)

_PLAIN = re.compile(r"[A-Za-z_/][\w./ -]*[\w./-]|[A-Za-z_]")
_NOT_TEXT = {"y", "n", "yes", "no", "true", "false", "on", "off", "null"}


def plain_name(name: str) -> str:
    """A column's name as it is compared: lower case, one underscore for spaces and hyphens."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def choose_columns(
    columns: Sequence[str], source: SourceSettings, output: str, where: str
) -> tuple[list[str], list[str]]:
    """Choose the input and output columns; those that the settings name stay.

    ``output`` is the goal's kind. Raises InputError `ambiguous_columns` naming the candidates and the line to write.
    """
    set_in, set_out = _names(source.input), _names(source.output)
    taken = {*set_in, *set_out, *source.tags, source.rejected, source.weight}
    free = [name for name in columns if name and name not in taken and plain_name(name) not in NEVER]
    if len(free) + len(set_in) + len(set_out) < 2:
        raise _one_column(free + set_in + set_out, where)
    goes_in = set_in or _named(free, INPUT_NAMES) or _named(free, WEAK_INPUT_NAMES)
    comes_out = set_out or _named(free, OUTPUT_NAMES)
    settled_in = bool(set_in) or len(goes_in) == 1
    settled_out = bool(set_out) or len(comes_out) == 1
    rest = [name for name in free if name not in goes_in and name not in comes_out]
    if len(rest) == 1 and settled_in and not comes_out:
        return goes_in, rest
    if len(rest) == 1 and settled_out and not goes_in:
        return rest, comes_out
    if settled_in and settled_out:
        return goes_in, comes_out
    raise _ambiguous(source, output, where, _Sides(goes_in, comes_out, free, settled_in, settled_out))


def text_column(columns: Sequence[str], source: SourceSettings, output: str, where: str) -> str:
    """The column whose whole text is learned. Raises InputError when it is unclear or the goal is not text."""
    if output != "text":
        raise InputError(
            "text_without_text_output",
            f"this is text to be learned whole, and the goal's output is {output}",
            where,
            "set goal.output: text, or name the columns that go in and come out and take out shape: text",
        )
    if source.input is not None or source.rejected is not None:
        raise InputError(
            "text_without_input",
            "text that is learned whole has no input and no rejected answer",
            where,
            "name its one column as `output:`, or take out shape: text",
        )
    named = _names(source.output)
    free = named or [name for name in columns if name and name not in {*source.tags, source.weight}]
    found = free if len(free) == 1 else _named(free, TEXT_NAMES)
    if len(found) != 1:
        raise InputError(
            "ambiguous_columns",
            f"which column is the text: {_or(found or free)}?",
            where,
            f"write in tunesmith.yaml: `collect: [{_flow({'path': source.path, 'shape': 'text', 'output': free[0]})}]`",
        )
    return found[0]


@dataclass(frozen=True)
class _Sides:
    """The candidates of each side, the free columns, and which side is settled."""

    goes_in: list[str]
    comes_out: list[str]
    free: list[str]
    settled_in: bool
    settled_out: bool


def _named(columns: Sequence[str], names: frozenset[str]) -> list[str]:
    return [column for column in columns if plain_name(column) in names]


def _names(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _ambiguous(source: SourceSettings, output: str, where: str, sides: _Sides) -> InputError:
    """The fault that names the candidates, with the line of ``tunesmith.yaml`` that settles it."""
    goes_in, comes_out, questions = sides.goes_in, sides.comes_out, []
    if not sides.settled_in:
        goes_in = goes_in or [name for name in sides.free if name not in comes_out] or sides.free
        questions.append(f"which column is the input: {_or(goes_in)}?")
        goes_in = goes_in[:1]
    if not sides.settled_out:
        # where no name says "answer", any column but a settled input may be one
        known = sides.goes_in if sides.settled_in else []
        comes_out = comes_out or [name for name in sides.free if name not in known]
        questions.append(f"which column is the answer: {_or(comes_out)}?")
        comes_out = [name for name in comes_out if name not in goes_in] or comes_out
    chosen: str | list[str] = comes_out if output == "json" and len(comes_out) > 1 else comes_out[0]
    entry = {
        "path": source.path,
        "input": goes_in[0] if source.input is None else source.input,
        "output": chosen if source.output is None else source.output,
    }
    fix = f"write in tunesmith.yaml, with the columns that you mean: `collect: [{_flow(entry)}]`"
    return InputError("ambiguous_columns", masked_text(" ".join(questions)), where, masked_text(fix))


def missing_columns(missing: Sequence[str], columns: Sequence[str], where: str) -> list[InputError]:
    """One fault for each column that is named in the settings and not in the file."""
    faults = []
    for name in missing:
        near = difflib.get_close_matches(name.lower(), [column.lower() for column in columns], n=1)
        hint = next((column for column in columns if near and column.lower() == near[0]), None)
        fix = masked_text(f"did you mean {hint!r}?") if hint else "name one of these under `collect:` in tunesmith.yaml"
        shown = masked_text(", ".join(repr(column) for column in columns[:30])) or "none"
        faults.append(InputError("missing_column", f"there is no column {name!r}; there are: {shown}", where, fix))
    return faults


def _one_column(named: list[str], where: str) -> InputError:
    found = f"only one usable column, {masked_text(repr(named[0]))}" if named else "no usable column"
    return InputError(
        "one_column",
        f"there is {found}; an example needs one that goes in and one that comes out",
        where,
        "add the missing column; if the columns are there, write the `delimiter:` of this source, "
        "and check that the first line holds the column names; text to be learned as it stands is `shape: text`",
    )


def _or(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:12]] + (["…"] if len(names) > 12 else [])
    return ", ".join(shown[:-1]) + " or " + shown[-1] if len(shown) > 1 else "".join(shown) or "none found"


def _flow(value: object) -> str:
    """A value as YAML flow style, quoted only where it must be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    text = str(value)
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _NOT_TEXT
    return text if plain else json.dumps(text, ensure_ascii=False)
