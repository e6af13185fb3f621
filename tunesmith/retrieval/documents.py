"""Read a folder of documents: plain text, Markdown and HTML become sections of plain text with their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from tunesmith.artifact import hash_of, sha256_of
from tunesmith.errors import InputError, raise_all

PLAIN, MARKDOWN, HTML = (".txt", ".text", ".rst"), (".md", ".markdown"), (".html", ".htm")
ENDINGS = (*PLAIN, *MARKDOWN, *HTML)
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
#: Tags whose text nobody reads, and those that end a line.
_SILENT = frozenset({"script", "style", "head", "template", "noscript"})
_LINES = frozenset(("p", "div", "br", "hr", "li", "ul", "ol", "table", "tr", "dl", "dt", "dd", "pre", "blockquote")) | {
    *("section", "article", "header", "footer", "nav", "main", "figure", "form")
}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


@dataclass(frozen=True)
class Section:
    """A stretch of a document under one heading. ``title``: the headings above it, the outermost first.

    ``paragraphs``: each with the line on which it begins, from 1.
    """

    path: str
    title: tuple[str, ...]
    paragraphs: tuple[tuple[int, str], ...]


def files_of(place: Path) -> list[Path]:
    """The documents in a folder, in those below it too, by name; or the one file that is named.

    Raises InputError ``no_knowledge`` where there is none. Hidden files and folders are left out.
    """
    if place.is_file() and place.suffix.lower() in ENDINGS:
        return [place]
    found = [
        path
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and path.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
    ]
    if not found:
        raise InputError(
            "no_knowledge",
            f"there are no documents here ({', '.join(ENDINGS)})",
            str(place),
            "let advise.knowledge name a folder with documents, or take the key out",
        )
    return found


def fingerprint(place: Path) -> str:
    """A hash of the names and contents of the documents."""
    root = place if place.is_dir() else place.parent
    return hash_of([[path.relative_to(root).as_posix(), sha256_of(path)] for path in files_of(place)])


def read_sections(place: Path) -> Iterator[Section]:
    """The sections of all documents. Raises InputError ``not_utf8`` with every file that is not UTF-8 text."""
    root = place if place.is_dir() else place.parent
    faults: list[InputError] = []
    for path in files_of(place):
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            faults.append(InputError("not_utf8", "this document is not UTF-8 text", str(path), "save it as UTF-8"))
            continue
        yield from sections_of(text, path.relative_to(root).as_posix())
    raise_all(faults)


def sections_of(text: str, path: str) -> Iterator[Section]:
    """The sections of one document, by the ending of its name."""
    ending = Path(path).suffix.lower()
    if ending in HTML:
        lines = _lines_of_html(text)
    else:
        lines = _lines_of_markdown(text) if ending in MARKDOWN else ((at, 0, line) for at, line in _numbered(text))
    title: list[tuple[int, str]] = []
    paragraphs: list[tuple[int, str]] = []
    open_paragraph: list[str] = []
    began = 0

    def close() -> None:
        if open_paragraph:
            paragraphs.append((began, " ".join(open_paragraph)))
            open_paragraph.clear()

    for at, level, line in lines:
        if level:
            close()
            if paragraphs:
                yield Section(path, tuple(name for _, name in title), tuple(paragraphs))
                paragraphs.clear()
            title = [*((depth, name) for depth, name in title if depth < level), (level, line)]
        elif not line.strip():
            close()
        else:
            began = began if open_paragraph else at
            open_paragraph.append(line.strip())
    close()
    if paragraphs:
        yield Section(path, tuple(name for _, name in title), tuple(paragraphs))


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.splitlines(), 1)


def _lines_of_markdown(text: str) -> Iterator[tuple[int, int, str]]:
    """Line number, level of a heading (0: none) and text; what stands in a fence is no heading."""
    fenced = False
    for at, line in _numbered(text):
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        yield (at, len(heading[1]), heading[2]) if heading else (at, 0, line)


def _lines_of_html(text: str) -> Iterator[tuple[int, int, str]]:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.end_line()
    yield from reader.lines


class _Reader(HTMLParser):
    """The text of a page, cut where a browser begins a new line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[tuple[int, int, str]] = []
        self._text: list[str] = []
        self._began = 1
        self._level = 0
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _LINES or tag in _HEADINGS:
            self.end_line()
            self._level = int(tag[1]) if tag in _HEADINGS else 0

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in _LINES or tag in _HEADINGS:
            self.end_line()
            self._level = 0

    def handle_data(self, data: str) -> None:
        if not self._silent and (self._text or data.strip()):
            self._began = self._began if self._text else self.getpos()[0]
            self._text.append(data)

    def end_line(self) -> None:
        """Close the line that is being read; a blank one after it makes it a paragraph of its own."""
        line = " ".join("".join(self._text).split())
        self._text = []
        if line:
            self.lines += [(self._began, self._level, line), (self._began, 0, "")]
