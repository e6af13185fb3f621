"""Payment cards, bank accounts and phone numbers."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from tunesmith.privacy.plain_form import WORD
from tunesmith.privacy.span import Span

#: Words after which a number is the number of a thing, in the languages of the commonest shops.
_THING_BEFORE = re.compile(
    r"(?:\border|\bbestell\w*|\bauftrag\w*|\binvoice|\brechnung\w*|\bisbn(?:-1[03])?|\bissn|\bean|\bgtin|\bupc|\bsku"
    r"|\btracking|\bparcel|\bshipment|\bsendung\w*|\bticket|\bcase|\bserial|\bserien\w*|\bartikel\w*|\bitem|\bpart"
    r"|\bref(?:erence|\.)?|\btransaction|\bcommande|\bfacture|\bpedido|\bfactura|\bordine|\bfattura|\bbestelling"
    r"|\bzamówienie|\bpo|\brma|\bmodel|\bversion|\bbatch|\blot|\bid|\bimei|\bbarcode|\bvin|\bdoi|\barxiv)"
    r"[\s:#=.]{0,3}(?:(?:number|no|nr|num|nummer|numéro|número|numero|code|id|is|ist|was|n°|nº)\b[\s:#=.]{0,3}){0,2}"
    r"[#nN°º]{0,2}[A-Z]{0,4}-?\Z",
    re.IGNORECASE,
)
_CARD_BEFORE = re.compile(
    r"\b(?:card|credit|debit|visa|master ?card|amex|maestro|karte\w*|kreditkarte\w*|carte|tarjeta|carta|kort|cartão"
    r"|kaart|karta|kart)\b[^0-9]{0,24}\Z",
    re.IGNORECASE,
)
#: The beginnings of the issuers' numbers with their lengths (ISO/IEC 7812).
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9])[0-9]{12}(?:[0-9]{3})?"  # Discover
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|35[0-9]{14}|(?:2131|1800|3088|3096|3112|3158|3337)[0-9]{11}(?:[0-9])?"  # JCB
    r"|(?:50[0-9]{2}|5[678][0-9]{2}|6304|6390|67[0-9]{2})[0-9]{8,15}"  # Maestro
    r"|62[0-9]{14,17}|220[0-4][0-9]{12}|(?:60|6521|81|82)[0-9]{12,14}"  # UnionPay, Mir, RuPay
)
_CARD = re.compile(rf"(?<!{WORD})(?<![.,/+-])[0-9](?:[ -]?[0-9]){{11,18}}(?!{WORD}|[-.,/][0-9])")
_GROUPS = re.compile(r"(?:[0-9]{4}([ -])){2}[0-9]{4}(?:\1[0-9]{1,4}){0,2}|[0-9]{4}([ -])[0-9]{5,6}\2[0-9]{4,5}|[0-9]+")


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def cards(text: str) -> Iterator[Span]:
    """Numbers of payment cards: an issuer's beginning and length, groups as printed, and the check digit."""
    for found in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", found[0])
        if not _GROUPS.fullmatch(found[0]) or not _ISSUERS.fullmatch(digits) or not luhn(digits):
            continue
        before = text[max(0, found.start() - 48) : found.start()]
        if _CARD_BEFORE.search(before) or not (_THING_BEFORE.search(before) or _is_ean(digits)):
            yield Span("card", found.start(), found.end(), digits)


def _is_ean(digits: str) -> bool:
    """Whether it is as well an article number (EAN-13): then only a word before it makes it a card."""
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return len(digits) == 13 and weighted % 10 == 0


_GOES_ON = re.compile(rf"(?!_){WORD}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")


def ibans(text: str) -> Iterator[Span]:
    """Bank accounts (ISO 13616): the country's length and form, and the remainder 1 modulo 97."""
    from stdnum import iban

    for found in _IBAN.finditer(text):
        places = [place for place in range(*found.span()) if text[place].isalnum()]
        account = "".join(text[place] for place in places).upper()
        for length in range(len(account), 14, -1):
            end = places[length - 1] + 1
            if _GOES_ON.match(text, end) or not _remainder_is_one(account[:length]):
                continue
            if iban.is_valid(account[:length]):
                yield Span("iban", found.start(), end, account[:length])
                break


def _remainder_is_one(account: str) -> bool:
    try:
        return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1
    except ValueError:
        return False


_PHONE = re.compile(
    rf"(?<!{WORD})(?<![.,/@#-])(?<![0-9] )(?:\+|\(\+|00)?\(?[0-9](?:[ ()./\u00b7-]{{0,3}}[0-9]){{6,17}}"
    rf"(?:\s?(?:x|ext\.?|extension|durchwahl|poste)\s?[0-9]{{1,6}})?(?!{WORD}|@|[.,/-][0-9])",
    re.IGNORECASE,
)
_PHONE_BEFORE = re.compile(
    rf"(?<!{WORD})(?:t[eé]l|tlf|ph|phone|telephone|mobile|mobil|cell|call|calling|ring|text|fax|whatsapp|signal|sms|dial|reach|contact"
    r"|handy|natel|gsm|puh|soita\w*|volejte|volat|telefon\w*|ruf\w*|anruf\w*|rückruf|appel\w*|téléphone|portable|móvil|teléfono|llám\w*|llama\w*"
    r"|telefono|cellulare|chiam\w*|telefone|telemóvel|celular|cel|ligar|ligue|telefoon|bel|bellen|ring|komórk\w*|zadzwo\w*|dzwoni\w*"
    rf"|puhelin|電話|电话|телефон\w*|hotline|number)(?!{WORD})\.?[^0-9\n]{{0,24}}\Z",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"[0-9]{4}[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12][0-9]|3[01])(?:[ T].*)?"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:19|20)[0-9]{2}(?:[ T].*)?"
    r"|(?:19|20)[0-9]{2}\s?[-/]\s?(?:19|20)[0-9]{2}|20[0-9]{6}(?:[ -]?[0-9]{4,6})?"
)
_ISBN = re.compile(r"97[89](?:[ -]?[0-9]){10}")
_AMOUNT = re.compile(r"[0-9]{1,3}(?:[. ][0-9]{3})+")
_AMOUNT_AFTER = re.compile(
    r"\s?(?:€|\$|£|¥|%|eur|usd|gbp|chf|kr|zł|pln|sek|people|units|pcs|rows|mb|gb|kb|ms|km)", re.I
)
_AMOUNT_BEFORE = re.compile(r"(?:[€$£¥]|\b(?:eur|usd|gbp|chf|total|price|sum|version|v))[\s:]{0,2}\Z", re.IGNORECASE)
_NORTH_AMERICA = re.compile(r"\(?[2-9][0-9]{2}\)?[ .-]{1,2}[2-9][0-9]{2}[ .-][0-9]{4}")
_EXTENSION = re.compile(r"\s?[a-z].*", re.IGNORECASE)


def phones(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Phone numbers: international ones of any country; national ones of ``regions`` when written as such.

    A national number is known by the way it is grouped (a leading 0 or brackets), or by a word before it.
    """
    for found in _PHONE.finditer(text):
        number = _EXTENSION.sub("", found[0])
        digits = re.sub(r"[^0-9]", "", number)
        if not 7 <= len(digits) <= 17 or len(set(digits)) < 3 or number.count("(") != number.count(")"):
            continue
        before, after = text[max(0, found.start() - 48) : found.start()], text[found.end() : found.end() + 8]
        with_plus = number.startswith(("+", "(+"))
        if not with_plus and _is_something_else(number, before, after):
            continue
        if with_plus or number.startswith("00"):
            if key := _international(number) or _mistyped(number, before):
                yield Span("phone", found.start(), found.end(), key)
                continue
            if with_plus:
                continue
        written_as_one = _is_grouped(number)
        if (written_as_one or _PHONE_BEFORE.search(before)) and _national(digits, tuple(regions)):
            yield Span("phone", found.start(), found.end(), digits.lstrip("0"))


def _mistyped(number: str, before: str) -> str | None:
    """A number of a country, a digit too short or too long: in groups, or after a word for a phone."""
    digits = re.sub(r"[^0-9]", "", number)
    said = _PHONE_BEFORE.search(before) or len(re.findall(r"[0-9]+", number)) >= 4
    return f"+{digits}" if said and 9 <= len(digits) <= 16 and _is_of_a_country(number) else None


def _is_something_else(number: str, before: str, after: str) -> bool:
    if _DATE.fullmatch(number) or _ISBN.fullmatch(number) or _THING_BEFORE.search(before):
        return True
    if _AMOUNT_BEFORE.search(before) or _AMOUNT_AFTER.match(after):
        return True
    return bool(_AMOUNT.fullmatch(number)) and not number.startswith("0") and not _PHONE_BEFORE.search(before)


def _is_grouped(number: str) -> bool:
    """Whether the number is written in groups as phone numbers are."""
    groups = re.findall(r"[0-9]+", number)
    if _NORTH_AMERICA.fullmatch(number):
        return True
    if re.match(r"1[ .-]\(?[2-9][0-9]{2}", number) and _NORTH_AMERICA.fullmatch(number[2:]):
        return True
    if number.startswith("(") and len(groups) >= 2:
        return True
    return groups[0].startswith("0") and len(groups[0]) >= 2 and (len(groups) >= 2 or len(number) in (10, 11))


@functools.lru_cache(maxsize=4096)
def _international(number: str) -> str | None:
    """The number in E.164 when its country and length are possible, else None."""
    import phonenumbers

    written = re.sub(r"\A\(?(?:\+|00)", "+", number).replace("(0)", "")
    if written.startswith("+1") and len(re.sub(r"[^0-9]", "", written)) < 11:
        return None
    try:
        parsed = phonenumbers.parse(written, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _is_of_a_country(number: str) -> bool:
    import phonenumbers

    try:
        phonenumbers.parse(re.sub(r"\A\(?(?:\+|00)", "+", number), None)
    except phonenumbers.NumberParseException:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _national(digits: str, regions: tuple[str, ...]) -> bool:
    """Whether one of the regions has numbers like this."""
    import phonenumbers

    for region in regions:
        try:
            if phonenumbers.is_possible_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
