"""Find the text encoding of a file: byte-order mark, UTF-8, else a guess by charset-normalizer."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from charset_normalizer import from_bytes

from tunesmith.errors import InputError

#: Byte-order marks, longer ones first: that of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)
GUESSES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
#: cp1252 is by far the most frequent: it wins unless another reads clearly less messy.
CLEARLY = 0.03


@dataclass(frozen=True)
class Encoding:
    """``name`` as shown to the user; ``codec`` decodes what follows the byte-order mark; ``guessed`` if not sure."""

    name: str
    codec: str
    mark: bytes = b""
    guessed: bool = False

    @property
    def wide(self) -> bool:
        """Whether a line end is not the byte 0A (UTF-16, UTF-32, EBCDIC): such text is turned into UTF-8 first."""
        return "\n,".encode(self.codec) != b"\n,"


def marked_encoding(head: bytes) -> Encoding | None:
    """The encoding that a byte-order mark tells, or None."""
    for mark, name, codec in MARKS:
        if head.startswith(mark):
            return Encoding(name, codec, mark)
    return None


def named_encoding(name: str, head: bytes, where: str) -> Encoding:
    """The encoding that the user names. Raises InputError when there is no such encoding for text."""
    try:
        codec = codecs.lookup(name).name
        "a".encode(codec).decode(codec)  # base64 and its like are codecs, but not of text
    except (LookupError, ValueError) as error:
        raise InputError(
            "unknown_encoding", f"there is no text encoding {name!r}", where, "write utf-8, cp1252, utf-16 or auto"
        ) from error
    marked = marked_encoding(head)
    if marked is not None and codec.replace("-sig", "") in (marked.name.replace("-sig", ""), marked.codec):
        return marked
    plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
    return Encoding(name, plain.get(codec, codec))


def guess_encoding(sample: bytes) -> Encoding:
    """Guess from lines that hold bytes beyond ASCII. ``sample`` may be empty: the file is then ASCII alone."""
    if _reads_as_utf8(sample):
        return Encoding("utf-8", "utf-8")
    matches = from_bytes(sample, cp_isolation=GUESSES)
    best = matches.best()
    if best is None:
        return Encoding("utf-8", "utf-8")  # every undecodable line is then told
    for match in matches:
        same = {match.encoding, *match.could_be_from_charset}
        if "cp1252" in same and match.chaos <= best.chaos + CLEARLY:
            return Encoding("cp1252", "cp1252", guessed=True)
    return Encoding(best.encoding, best.encoding, guessed=True)


def _reads_as_utf8(sample: bytes) -> bool:
    """Whether this is UTF-8, perhaps with some damage: more good characters beyond ASCII than bad bytes."""
    try:
        sample.decode()
        return True
    except UnicodeDecodeError:
        text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond = sum(character > "\x7f" for character in text) - broken
    return beyond > broken
