"""Better prompts to try: what the goal and the training answers say of the form of an answer, put in several ways."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.answering.setups import Setup
from tunesmith.products import GoalSheet, Rule

#: A form counts when so many of the answers have it.
USUAL = 0.95
#: Up to so many different answers are listed, each in at least so many rows.
MOST_LISTED, FEWEST_EACH = 12, 3
#: The shortest beginning or end that is worth telling, and the longest answer that is shown as an example.
SHORTEST_MARK, LONGEST_SHOWN = 3, 240
#: How a label's name may be said to a sentence encoder.
LABEL_TEMPLATES = ("This text is about {}.", "A message about {}.", "The topic is {}.", "{}: a question or request")


def candidates(goal: GoalSheet, answers: Sequence[str], *, name: str, sentence_encoder: bool) -> list[Setup]:
    """Set-ups of the untrained base to choose among, the plain one first.

    ``answers`` are training answers. A sentence encoder has no prompt: the labels' names are said in several ways.
    """
    if sentence_encoder:
        said = [label.replace("_", " ").replace("-", " ") for label in goal.labels]
        texts = [tuple(template.format(label) for label in said) for template in LABEL_TEMPLATES]
        return [Setup(name), *(Setup(name, label_texts=one) for one in texts if len(set(one)) == len(one))]
    hints = " ".join(form_hints(goal, answers))
    found = [Setup(name)]
    if hints:
        found += [
            Setup(name, system=f"{goal.system} {hints}"),
            Setup(name, closing=hints),
            Setup(name, system=f"{goal.system} {hints}", closing=hints),
        ]
    if shown := _typical(answers):
        task = f"{goal.system} {hints}".strip()
        found.append(Setup(name, system=f"{task}\nAn answer looks like this: {shown}"))
    if goal.output == "json" and goal.schema is not None:
        found += [Setup(name, system=one.system, closing=one.closing, enforce_schema=True) for one in found[:2]]
    return list(dict.fromkeys(found))


def form_hints(goal: GoalSheet, answers: Sequence[str]) -> list[str]:
    """What the goal and the answers say of the form of an answer, a sentence each."""
    hints = [_labels(goal), _schema(goal.schema) if goal.output == "json" else "", *map(_rule, goal.rules)]
    if goal.output == "text" and answers:
        hints += [_listed(answers), _length(answers), _case(answers), *_marks(answers)]
    return [hint for hint in hints if hint]


def _labels(goal: GoalSheet) -> str:
    if goal.output != "label":
        return ""
    return f"Answer with one of these labels and nothing else: {', '.join(goal.labels)}."


def _schema(schema: Mapping[str, Any] | None) -> str:
    fields = (schema or {}).get("properties", {})
    if not fields:
        return "Answer with one JSON object and nothing else."
    told = [f"{name} ({_kind(rules)})" for name, rules in fields.items()]
    return f"Answer with one JSON object and nothing else. Its fields: {'; '.join(told)}."


def _kind(rules: Any) -> str:
    if isinstance(rules, Mapping) and rules.get("enum"):
        return "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in rules["enum"])
    kind = rules.get("type", "any value") if isinstance(rules, Mapping) else "any value"
    return str(kind) if isinstance(kind, str) else " or ".join(map(str, kind))


def _rule(rule: Rule) -> str:
    """A rule of the goal as a request."""
    who = f"The field {rule.field}" if rule.field else "The answer"
    told = []
    if rule.contains:
        told.append(f"has the words {_quoted(rule.contains, 'and')}")
    if rule.never_contains:
        told.append(f"never has the words {_quoted(rule.never_contains, 'or')}")
    if rule.starts_with:
        told.append(f"begins with {_quoted(rule.starts_with, 'or')}")
    if rule.ends_with:
        told.append(f"ends with {_quoted(rule.ends_with, 'or')}")
    if rule.one_of:
        told.append(f"is one of {_quoted(rule.one_of, 'or')}")
    if rule.at_least_words:
        told.append(f"has at least {rule.at_least_words} words")
    if rule.at_most_words:
        told.append(f"has at most {rule.at_most_words} words")
    if rule.language:
        told.append(f"is in the language {rule.language}")
    return f"{who} {', '.join(told)}." if told else ""


def _quoted(words: Sequence[str], link: str) -> str:
    quoted = [f"“{word}”" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {link} {quoted[-1]}"


def _listed(answers: Sequence[str]) -> str:
    counts = Counter(answers)
    if len(counts) <= MOST_LISTED and min(counts.values()) >= FEWEST_EACH:
        return f"Answer with one of these and nothing else: {', '.join(sorted(counts))}."
    return ""


def _length(answers: Sequence[str]) -> str:
    sizes = sorted(len(answer.split()) for answer in answers)
    most = sizes[min(len(sizes) - 1, int(USUAL * len(sizes)))]
    if most <= 1:
        return "Answer with one word and nothing else."
    return f"Answer in at most {most} words." if most <= 60 else ""


def _case(answers: Sequence[str]) -> str:
    lettered = [answer for answer in answers if any(letter.isalpha() for letter in answer)]
    if lettered and sum(answer == answer.upper() for answer in lettered) >= USUAL * len(answers):
        return "Write in capital letters."
    if lettered and sum(answer == answer.lower() for answer in lettered) >= USUAL * len(answers):
        return "Write in small letters."
    return ""


def _marks(answers: Sequence[str]) -> list[str]:
    """How all answers begin and end, where they do so alike."""
    if len(set(answers)) < 2:
        return []
    begin = _whole_words(_shared([answer.strip() for answer in answers]))
    end = _whole_words(_shared([answer.strip()[::-1] for answer in answers]))[::-1]
    found = [f"Begin with “{begin}”." if len(begin) >= SHORTEST_MARK else ""]
    return [*found, f"End with “{end}”." if len(end) >= SHORTEST_MARK else ""]


def _shared(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    low, high = min(texts), max(texts)  # in lexical order the extremes share least
    length = next((at for at, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))
    return low[:length]


def _whole_words(text: str) -> str:
    """Without the piece of a word that stands at its end."""
    cut = text if not text or not text[-1].isalnum() else text[: -len(text.split()[-1])]
    return cut.strip()


def _typical(answers: Sequence[str]) -> str:
    """An answer of middle length, to show the form; none where it would be long."""
    ordered = sorted(set(answers), key=lambda answer: (len(answer), answer))
    middle = ordered[len(ordered) // 2] if ordered else ""
    return middle if len(middle) <= LONGEST_SHOWN else ""
