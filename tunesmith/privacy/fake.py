"""Replacements that look like the real thing: the same value always becomes the same one under one seed.

Letters and digits are drawn anew and the form is kept. Where there are numbers set apart for examples, those are
used (example.com, 555-01xx, the documentation ranges of IP addresses, an issuer's test number).
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable

from tunesmith.privacy.name_words import ORGANISATION_ENDINGS
from tunesmith.privacy.numbers import luhn
from tunesmith.privacy.span import Kind

_GIVEN = "alex anna ben carla dario elena felix greta hugo ines jonas karin leo maria nils olga paul rosa simon vera"
_FAMILY = "adler baker costa duval ekman fischer garcia hansen ivanov jansen keller lopez moreau novak olsen parker"
_PLACE_ENDINGS = "ford ton field stead brook"
_STREETS = "Linden Meadow Station Garden Mill Church Harbour Orchard Chapel Bridge"


def fake(kind: Kind, value: str, key: str, seed: int) -> str:
    """A stand-in for the value. ``key`` is what the spellings of the value share: they become the same one."""
    draw = random.Random(f"{seed} {kind} {key}".encode("utf-8", "surrogatepass"))  # a text may hold half a pair
    made = value
    for _ in range(8):  # a draw may give the value itself
        made = _person(value, key, draw) if kind == "person" else _MAKERS.get(kind, _same_form)(value, draw)
        if made.casefold() != value.casefold():
            break
    return made


def _same_form(value: str, draw: random.Random) -> str:
    """Another digit for each digit and another letter for each letter, of the same case."""
    return "".join(_another(character, draw) for character in value)


def _another(character: str, draw: random.Random) -> str:
    if character.isdigit():
        return draw.choice(string.digits)
    if character.isalpha():
        return draw.choice(string.ascii_uppercase if character.isupper() else string.ascii_lowercase)
    return character


def _email(value: str, draw: random.Random) -> str:
    return f"{draw.choice(_GIVEN.split())}.{draw.choice(_FAMILY.split())}{draw.randrange(10_000)}@example.com"


def _person(value: str, key: str, draw: random.Random) -> str:
    """A given and a family name; where the value is a part of the name in ``key``, that part of it."""
    given, family = draw.choice(_GIVEN.split()).capitalize(), draw.choice(_FAMILY.split()).capitalize()
    if len(value.split()) > 1:
        return f"{given} {family}"
    return family if len(key.split()) > 1 and key.split()[0] != value.casefold() else given


def _organisation(value: str, draw: random.Random) -> str:
    last = value.split()[-1]
    ending = last if last.casefold().rstrip(".") in ORGANISATION_ENDINGS else "Group"
    return f"{draw.choice(_FAMILY.split()).capitalize()} {draw.choice(_FAMILY.split()).capitalize()} {ending}"


def _place(value: str, draw: random.Random) -> str:
    return f"{draw.choice(_STREETS.split())}{draw.choice(_PLACE_ENDINGS.split())}"


def _digits_from(value: str, digits: str) -> str:
    """The value with these digits in the places of its own."""
    following = iter(digits)
    return re.sub(r"[0-9]", lambda _: next(following), value)


def _phone(value: str, draw: random.Random) -> str:
    """The country and the area stay; of the last digits the first three are 555 where there is room for them."""
    old = re.sub(r"[^0-9]", "", value)
    length = min(7, max(4, len(old) - 5))
    made = ("55501" if length == 7 else "5") + "".join(draw.choice(string.digits) for _ in range(length))
    return _digits_from(_ascii(value), old[: len(old) - length] + made[:length])


def _card(value: str, draw: random.Random) -> str:
    """The issuer's first digit, then zeros as in test numbers, with a right check digit."""
    old = re.sub(r"[^0-9]", "", _ascii(value))
    middle = "".join(draw.choice(string.digits) for _ in range(len(old) - 7))
    stem = old[:2] + "0000" + middle
    made = next(stem + last for last in string.digits if luhn(stem + last))
    return _digits_from(_ascii(value), made)


def _iban(value: str, draw: random.Random) -> str:
    """The country stays, the account is drawn anew, the check digits are right."""
    account = [character for character in _ascii(value).upper() if character.isalnum()]
    rest = _same_form("".join(account[4:]), draw)
    country = "".join(account[:2])
    number = int("".join(str(int(character, 36)) for character in rest + country + "00"))
    following = iter(f"{country}{98 - number % 97:02d}{rest}")
    return "".join(next(following) if character.isalnum() else character for character in _ascii(value))


def _ip_address(value: str, draw: random.Random) -> str:
    if ":" in value:
        return f"2001:db8::{draw.randrange(1, 65536):x}:{draw.randrange(1, 65536):x}"
    return f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{draw.randrange(1, 255)}"


def _mac_address(value: str, draw: random.Random) -> str:
    """From the range that RFC 7042 sets apart for documentation."""
    pairs = ["00", "00", "5e", "00", "53", f"{draw.randrange(256):02x}"]
    return (":" if ":" in value else "-").join(pairs)


def _street_address(value: str, draw: random.Random) -> str:
    return f"{draw.randrange(1, 200)} {draw.choice(_STREETS.split())} Street"


def _url_credentials(value: str, draw: random.Random) -> str:
    return f"user:{_random(12, draw)}"


def _password(value: str, draw: random.Random) -> str:
    return _random(max(8, min(len(value), 32)), draw)


def _random(length: int, draw: random.Random) -> str:
    return "".join(draw.choice(string.ascii_letters + string.digits) for _ in range(length - 1)) + "7"


def _ascii(value: str) -> str:
    from tunesmith.privacy.plain_form import plain_form

    return plain_form(value)[0]


_MAKERS: dict[Kind, Callable[[str, random.Random], str]] = {
    "email": _email,
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "ip_address": _ip_address,
    "mac_address": _mac_address,
    "street_address": _street_address,
    "url_credentials": _url_credentials,
    "password": _password,
    "organisation": _organisation,
    "place": _place,
}
