"""Text of shops, machines and books in which nothing is private: look-alikes for the rows held out."""

from __future__ import annotations

import random
import re
import string

#: ``{low..high}`` is a number, ``#`` in braces a digit, ``?`` and ``A`` letters, ``x`` hexadecimal digits.
TEXTS = (
    "see doi:10.{1000..9998}/{?????}.{2000..2025}.{100000..999999}",
    "ISSN {1000..9998}-{1000..9998}, vol. {1..89}, pp. {1..399}-{400..899}",
    "the parcel weighs {1..29}.{100..998} kg and is {10..98} x {10..98} x {10..98} cm",
    "GPS {-89..88}.{100000..999999}, {-179..178}.{100000..999999}",
    "IMEI {100000000000000..999999999999999} is locked",
    "VIN WVW{AAA##AA#######} recalled",
    "article {100000..999999}-{10..98} is back in stock, {2..399} pieces",
    "{1000000000..1999999999} INFO cache warmed in {1..998}.{100000..999999} s, {1000000..999999999} bytes",
    "pip install numpy=={1..2}.{0..29}.{0..8} torch>={1..2}.{0..12}.0",
    '"@types/node": "^{10..23}.{0..19}.{0..8}", "left-pad": "1.{1..8}.0"',
    "@pytest.fixture(scope='session') fails since #{1000..99998}",
    "git clone git@example.org:team/repo-{1..98}.git",
    "use 255.255.{0..254}.0 as the netmask and 127.0.0.1 for local tests",
    "std::vector<int>::iterator it{1..98}; // a::b::c",
    "the kick-off is at {10..22}:{10..58}, it ended {0..8}:{0..8} ({0..3}:{0..3})",
    "John {1..20}:{1..39}-{41..49} was read",
    "flight LX{100..3999} on {1..27} March, gate B{1..59}, seat {1..39}C",
    "sha256:{xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}{xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
    "md5 {xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx} differs",
    "trace {xxxxxxxxxxxxxxxx}-{xxxxxxxxxxxxxxxx}-01",
    "population {1..8} {100..998} {100..998} in {1990..2025}",
    "from {1..27}.{1..11}. to {1..27}.{1..11}.{2020..2026}, {100..998} nights",
    "RFC {1000..9998} section {1..8}.{1..8}.{1..8}.{1..8}",
    "color: #{xxxxxx}; margin: {0..98}px {0..98}px {0..98}px",
    "/var/log/app-{2020..2025}-{10..11}-{10..27}.log.{1..8}.gz is {1..899} MB",
    "you can reset your password within {2..47} hours",
    "Passwort vergessen? Klicken Sie auf den Link.",
    "password must be longer than eight characters",
    "the API key page shows an error",
    "secret santa draws {10..98} names this year",
    "invoice {2020..2025}/{1000..9998} of {1..27}/{1..11}/{2020..2025} is paid",
    "we sold {1..8},{100..998},{100..998} units, up {1..98}.{1..8}%",
    "batch {??-####-####} expires {1..11}/{2026..2030}",
    "EAN {4000000000000..5999999999999}; EAN8 {40000000..99999999}",
    "coupon {AAAA-####-AAAA} gives {5..59}% off",
    "the {2..39} Mile Road Race starts at {6..10} a.m.",
    "{2..98} Days Way of Life, {1950..2025}",
    "chapter {1..29}, verse {1..59}, line {100..9998}",
    "ticket JIRA-{1000..99998} blocks ABC-{1000..99998}",
    "order #{100..998}-{1000000..9999999}-{1000000..9999999} was shipped",
)
_PLACE = re.compile(r"\{(?:(-?[0-9]+)\.\.([0-9]+)|([#?Ax-]+))\}")
_LETTERS = {"#": string.digits, "?": string.ascii_lowercase, "A": string.ascii_uppercase, "x": "0123456789abcdef"}


def look_alike(draw: random.Random) -> str:
    """One of the texts with its places filled."""

    def filled(found: re.Match[str]) -> str:
        low, high, form = found.groups()
        if form is None:
            return str(draw.randint(int(low), int(high)))
        return "".join(draw.choice(_LETTERS.get(character, character)) for character in form)

    return _PLACE.sub(filled, draw.choice(TEXTS))
