"""Find private values in a text: a cheap look first, then the detectors that it calls for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence

from tunesmith.privacy import credentials, internet, names, national_ids, numbers, streets
from tunesmith.privacy.plain_form import plain_form
from tunesmith.privacy.span import ALL_KINDS, KINDS, Kind, Span, without_overlaps

#: Countries whose phone numbers are known without their +: the first to be asked are the most frequent.
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BR", "PL", "SE", "JP", "IN", "AT", "CH", "BE", "PT", "AU")

PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(kind.upper() for kind in ALL_KINDS)})_[0-9]{{1,9}}\]")
_DIGIT = re.compile("[0-9]")
_SEVEN_DIGITS = re.compile(r"[0-9](?:[ ()./+-]{0,3}[0-9]){6}")
_LIKE_IBAN = re.compile(r"[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]")
_LIKE_STREET = re.compile(r"[A-ZÀ-ÞĀ-ȟ]")


#: What a text without digits must hold that has any of the kinds in it: something of an address, of the first line of
#: a private key, or the beginning of a word for a password.
_WITHOUT_DIGITS = re.compile(
    r"@|:[^:]*:|-[^-]*-|[a-f]\.[a-f]{4}\.[a-f]|pass[cpwo]|pass['\"]?\s{0,3}[:=]|identified\sby|adgangskode|jelszó"
    r"|pwd|kennwort|mot de p|palavra-p|contrase[nñ]a|senha|wachtwoord|l[öo]senord|has[lł]o|пароль|parola|heslo"
    r"|salasana|şifre|密[码碼]|パスワード|비밀번호"
)


def may_hold(text: str) -> bool:
    """Whether a private value may be in a text: False is sure, and much faster than to look for each kind."""
    plain, _ = plain_form(text)
    if _DIGIT.search(plain):
        return True
    return _WITHOUT_DIGITS.search(plain.lower() if plain.isascii() else plain.casefold()) is not None


def find(
    text: str,
    kinds: Collection[Kind] = KINDS,
    regions: Sequence[str] = REGIONS,
    known: Sequence[names.Name] = (),
) -> list[Span]:
    """Where private values of these kinds stand, in the order of the text, none overlapping another.

    Names are found where they are ``known``, by `name_finder`. What already is a placeholder such as [EMAIL_1] is
    left out.
    """
    plain, places = plain_form(text)
    found = [span for span in _detect(plain, kinds, regions) if span.kind in kinds]
    found += names.spans(plain, known)
    if not found:
        return []
    found = _around_placeholders(plain, without_overlaps(found))
    return [Span(span.kind, places[span.start], places[span.end - 1] + 1, span.key) for span in found]


def _detect(text: str, kinds: Collection[Kind], regions: Sequence[str]) -> Iterator[Span]:
    """All that the detectors find in a plain text, overlapping or not."""
    lowered = text.lower() if text.isascii() else text.casefold()
    yield from credentials.api_keys(text, lowered)
    yield from credentials.passwords(text, lowered)
    if "@" in text:
        yield from internet.emails(text)
        if "://" in text:
            yield from internet.url_credentials(text)
    if text.count(":") >= 2 or text.count(".") >= 2 or text.count("-") >= 5:
        yield from internet.mac_addresses(text)
        yield from internet.ip_addresses(text)
    if _DIGIT.search(text) is None:
        return
    if "street_address" in kinds and _LIKE_STREET.search(text):
        yield from streets.streets(text)
    if _LIKE_IBAN.search(text):
        yield from numbers.ibans(text)
    if "national_id" in kinds:
        yield from national_ids.national_ids(text)
    if _SEVEN_DIGITS.search(text):
        yield from numbers.cards(text)
        if "phone" in kinds:
            yield from numbers.phones(text, regions)


def _around_placeholders(text: str, spans: list[Span]) -> list[Span]:
    """The spans without the placeholders in them: a masked text has nothing more to mask."""
    if "]" not in text:
        return spans
    taken = [found.span() for found in PLACEHOLDER.finditer(text)]
    return [piece for span in spans for piece in _pieces(span, text, taken)] if taken else spans


def _pieces(span: Span, text: str, taken: list[tuple[int, int]]) -> Iterator[Span]:
    inside = taken[bisect_right(taken, span.start, key=lambda place: place[1]) :]
    inside = inside[: bisect_left(inside, span.end, key=lambda place: place[0])]
    if not inside:
        yield span
        return
    start = span.start
    for begin, end in [*inside, (span.end, span.end)]:
        if any(map(str.isalnum, text[start:begin])):
            yield Span(span.kind, start, begin, text[start:begin])
        start = end
