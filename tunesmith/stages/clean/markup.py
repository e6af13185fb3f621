"""Step `markup`: HTML tags, entities and other marks of a page or a template that were left in prose."""

from __future__ import annotations

import html
import re
from collections import Counter
from html.entities import html5

from tunesmith.stages.clean.shorten import listed, shorten
from tunesmith.stages.clean.texts import Key, RowTexts, Text

#: Where so many texts of a side have markup, it is how they are written.
USUAL = 0.5
FEWEST = 20

_PAIRED = (
    "a|abbr|article|b|blockquote|body|center|cite|code|div|em|figure|font|footer|form|h[1-6]|head|header|html|i|kbd|"
    "label|li|mark|nav|ol|p|pre|s|section|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|title|tr|u|ul"
)
_ATTRIBUTES = r"(?:\s+[\w:-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))?)*\s*"
_TAG = re.compile(rf"<(/?)({_PAIRED}|br|hr|img|script|style)\b({_ATTRIBUTES})/?>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.{0,1000}?-->|<!DOCTYPE[^<>]*>|<!\[CDATA\[.{0,1000}?\]\]>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_BBCODE = re.compile(
    r"\[(b|i|u|s|url|img|quote|code|color|size|list)(?:=[^\]\n]{0,200})?\].{0,2000}?\[/\1\]", re.I | re.S
)
_TEMPLATE = re.compile(r"\{\{\s*[#/>]?[A-Za-z_][\w .|:-]{0,60}\}\}|\{%-?\s*[a-z]\w+.{0,80}?-?%\}|<%=?.{1,80}?%>")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_ALONE = frozenset({"br", "hr", "img"})
_BREAKS = frozenset({"br", "hr", "p", "div", "tr", "li", "ul", "ol", "table", "blockquote", "section", "article"})
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_LINE_ENDS = re.compile(r"[ \t]+\n")


class MarkupLook:
    """Whether a text has markup where most texts of its kind have none."""

    code = "markup"

    def __init__(self) -> None:
        self._texts: Counter[Key] = Counter()
        self._marked: Counter[Key] = Counter()

    def note(self, row: RowTexts) -> None:
        for text in row.all:
            self._texts[text.key] += 1
            if find(text.text):
                self._marked[text.key] += 1

    def settle(self) -> None:
        """The counts are the rule."""

    def is_style(self, key: Key) -> bool:
        """Whether markup is usual there."""
        return self._texts[key] >= FEWEST and self._marked[key] >= USUAL * self._texts[key]

    def evidence(self, row: RowTexts) -> str | None:
        for text in row.all:
            if (found := find(text.text)) and not self.is_style(text.key):
                return f"{text.name} has {listed(shorten(mark, 40) for mark in dict.fromkeys(found))}"
        return None

    def mend(self, text: Text) -> str:
        return text.text if self.is_style(text.key) else without(text.text)


def find(text: str) -> list[str]:
    """The marks in prose: tags that have their partner or need none, known entities, BBCode, template slots."""
    if not ("<" in text or "&" in text or "{" in text or "[/" in text):
        return []
    prose = _CODE.sub(" ", text) if "`" in text else text
    found = [match.group() for match in _tags(prose)]
    if "&" in prose:
        found += [entity for entity in _ENTITY.findall(prose) if _is_entity(entity)]
    if "[/" in prose:
        found += [match.group() for match in _BBCODE.finditer(prose)]
    if "{" in prose or "<%" in prose:
        found += [match.group() for match in _TEMPLATE.finditer(prose)]
    if "<!" in prose:
        found += [match.group() for match in _COMMENT.finditer(prose)]
    return found


def _tags(text: str) -> list[re.Match[str]]:
    """A lone <p> may be what the text is about; with its </p>, or many of them, it is markup."""
    if "<" not in text:
        return []
    tags = list(_TAG.finditer(text))
    closed = {tag.group(2).lower() for tag in tags if tag.group(1)}
    opened = {tag.group(2).lower() for tag in tags if not tag.group(1)}
    times = Counter(tag.group(2).lower() for tag in tags)
    return [
        tag
        for tag in tags
        if (name := tag.group(2).lower()) in _ALONE
        or (name in closed and name in opened)
        or tag.group(3).strip()
        or times[name] >= 3
    ]


def _is_entity(entity: str) -> bool:
    return entity[1] == "#" or entity[1:] in html5


def without(text: str) -> str:
    """The text without tags and comments, entities as their characters. Code, BBCode and template slots stay."""
    if "`" in text or not find(text):
        return text
    bare = _COMMENT.sub("", text)
    tags = _tags(bare)
    for tag in reversed(tags):
        bare = bare[: tag.start()] + _instead(tag) + bare[tag.end() :]
    if tags:
        bare = _BLANK_LINES.sub("\n\n", _LINE_ENDS.sub("\n", bare)).strip()
    plain = _unescaped(bare)
    # Escaped tags are text about tags: unescaped they would be taken for markup the next time.
    return bare if _tags(plain) or _COMMENT.search(plain) else plain


def _unescaped(text: str) -> str:
    for _ in range(4):  # "&amp;amp;nbsp;" went through several pages
        plain = _ENTITY.sub(
            lambda match: html.unescape(match.group()) if _is_entity(match.group()) else match.group(), text
        )
        if plain == text:
            break
        text = plain
    return text.replace("\u00a0", " ")


def _instead(tag: re.Match[str]) -> str:
    name, closing = tag.group(2).lower(), bool(tag.group(1))
    if name == "li":
        return "" if closing else "\n- "
    return "\n" if name in _BREAKS and (closing or name in _ALONE) else ""
