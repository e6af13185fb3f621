"""Private data in a text that is still being written: how much of it is settled."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from tunesmith.privacy.credentials import PASSWORD_WORDS
from tunesmith.privacy.find import REGIONS, find, may_hold
from tunesmith.privacy.plain_form import UNSPACED, plain_form
from tunesmith.privacy.span import KINDS, Kind
from tunesmith.privacy.streets import ENDINGS, UPPER

#: Characters before a text that decide what its values are (a word such as phone, a key's name), with a key's name.
REACH = 200
#: Values with spaces in them (numbers in groups, addresses) are not longer than this.
LONGEST_SPACED = 160
#: A run of letters, digits and signs that is longer is let go, but for what is found in it already.
LONGEST_RUN = 2_000
#: Characters after a value that decide whether it is one.
AFTER = 16
#: What is held back of a text in which nothing is found that goes on; a run without spaces aside.
MOST_HELD = 2 * LONGEST_SPACED

_GOES_ON = re.compile(rf"[^\s{UNSPACED}]")
_DIGIT = re.compile("[0-9]")
_REST_OF_RUN = re.compile(rf"[^\s{UNSPACED}]*")
#: A word that goes on a sentence, and neither an address nor a number.
_WORD_AFTER = re.compile(
    r"\s(?!(?:rue|avenue|boulevard|place|chemin|all|impasse|quai|route|cours|square|passage|bis|ter|ext|poste"
    r"|durchwahl|piso|puerta))[a-z]{3,}[\s,.;:!?]"
)
_IBAN_BEGINS = re.compile(r"[A-Za-z]{2}[0-9]{2}")
_LINKS = (
    r"d[aeiou]s?|del|dell[aeo]?|de[rnms]|la|las|los|le|les|van|von|zu[mr]?|af|av|y|e|i|ul|al|pl|os|n[ro]?|st|str|bd|tř"
    r"|nám|ulic[ae]|aleja|plac|strada|náměstí|třída|of|the"
)
#: Names of streets, before their number: words with capitals, and what joins them.
_NAMES = re.compile(
    rf"(?:(?<![\w.'’-])(?:(?:[dl]['’])?[{UPPER}][\w'’.-]{{0,40}}|(?:{_LINKS})[.º°'’]?|[A-Z]/|(?:{ENDINGS})),?\s{{1,2}})+\Z"
)
_LOGIN = re.compile(r"://[^\s/@?#\[\]<>\"']{0,400}\Z")
_PASSWORD = re.compile(
    rf"(?:{PASSWORD_WORDS})['\"]?\s{{0,3}}[:=：＝]?\s{{0,3}}['\"`«„“]?[^\s]{{0,132}}\Z", re.IGNORECASE
)
_HAS_UNSPACED = re.compile(f"[{UNSPACED}]")
_KEY_HEADER = "-----BEGIN"
_LONGEST_HEADER = 100


def open_from(text: str, kinds: Collection[Kind] = KINDS, regions: Sequence[str] = REGIONS, start: int = 0) -> int:
    """From where on a private value may still come to be or grow while the text goes on; at least ``start``.

    `find` finds in the text before it what it finds there when the text is whole: values with spaces in them up to
    `LONGEST_SPACED` characters, others of any length.
    """
    plain, places = plain_form(text)
    opened = _open(plain)
    at = places[opened] if opened < len(plain) else len(text)
    if at > start and may_hold(text):
        for span in find(text, kinds, regions):
            if span.start < at and span.end > min(at, len(text) - AFTER):
                at = span.start
                break
    return max(start, at)


def _open(text: str) -> int:
    """Where that begins with which a value may begin that is not whole yet."""
    at = _start_of_run(text, len(text))
    at = min(at, _open_number(text))
    begin = max(0, at - LONGEST_SPACED)
    if names := _NAMES.search(text[begin:at]):
        at = begin + names.start()
    header = text.rfind(_KEY_HEADER, max(0, len(text) - _LONGEST_HEADER))
    if header >= 0:
        at = min(at, header)
    tail = text[-450:]
    if login := _LOGIN.search(tail):
        at = min(at, len(text) - len(tail) + login.end() - len(login[0]) + 3)
    if _HAS_UNSPACED.search(tail) and (password := _PASSWORD.search(tail)):
        at = min(at, len(text) - len(tail) + password.start())
    return at


def _open_number(text: str) -> int:
    """Where a number begins that the text may still go on with: no word of a sentence came after it."""
    at = max(0, len(text) - LONGEST_SPACED)
    while digit := _DIGIT.search(text, at):
        start = _start_of_run(text, digit.start())
        end = _REST_OF_RUN.match(text, digit.end()).end()  # type: ignore[union-attr]
        closed = len(text) - end >= AFTER and _WORD_AFTER.match(text, end) and not _IBAN_BEGINS.search(text[start:end])
        if not closed:
            return start
        at = end
    return len(text)


def _start_of_run(text: str, end: int) -> int:
    """Where the letters, digits and signs begin that stand before ``end`` without a space."""
    start = end
    while start > 0 and end - start < LONGEST_RUN and _GOES_ON.match(text[start - 1]):
        start -= 1
    return start
