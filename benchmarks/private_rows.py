"""Rows with private values whose places are known, in ten locales, and rows that only look alike."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "pl_PL", "sv_SE")
#: What a person writes around a value of any kind, by language.
AROUND = {
    "en": (
        "Hi, it is {} now, please change that.",
        "Could you check {} again?",
        "{} - that is what I gave you last week",
    ),
    "de": (
        "Hallo, es lautet jetzt {}, bitte ändern.",
        "Können Sie {} noch einmal prüfen?",
        "{} habe ich letzte Woche angegeben",
    ),
    "fr": ("Bonjour, c'est {} maintenant, merci.", "Pouvez-vous vérifier {} ?", "{} est ce que j'ai donné"),
    "es": ("Hola, ahora es {}, gracias.", "¿Pueden comprobar {} otra vez?", "{} es lo que di la semana pasada"),
    "it": ("Salve, adesso è {}, grazie.", "Potete verificare {} ancora?", "{} è quello che ho dato"),
    "nl": ("Hallo, het is nu {}, dank.", "Kunt u {} nog eens nakijken?", "{} heb ik vorige week gegeven"),
    "pt": ("Olá, agora é {}, obrigado.", "Podem verificar {} de novo?", "{} é o que informei"),
    "pl": (
        "Dzień dobry, teraz to {}, proszę.",
        "Czy możecie sprawdzić {} jeszcze raz?",
        "{} podałem w zeszłym tygodniu",
    ),
    "sv": ("Hej, det är nu {}, tack.", "Kan ni kontrollera {} igen?", "{} är vad jag uppgav"),
}
#: Words before a value without which a person would not know it either.
BEFORE = {
    "password": {"en": "password: ", "de": "Passwort: ", "fr": "mot de passe : ", "es": "contraseña: "},
    "national_id": {
        "en_US": "SSN ", "es_ES": "DNI ", "fr_FR": "sécurité sociale ", "it_IT": "codice fiscale ", "nl_NL": "BSN ",
        "pt_BR": "CPF ", "pl_PL": "PESEL ", "sv_SE": "personnummer ",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A text; the value of ``kind`` stands at ``[start, end)``. ``kind`` is empty in a row that only looks alike."""

    text: str
    kind: str
    start: int = 0
    end: int = 0


def rows(each: int, seed: int = 0) -> list[Row]:
    """``each`` rows of every kind and locale (where the locale has the kind), and as many look-alikes; shuffled."""
    from faker import Faker

    made: list[Row] = []
    draw = random.Random(seed)
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(seed)
        for kind, make in makers(faker, locale, draw).items():
            made += [planted(kind, make(), locale, draw) for _ in range(each)]
        made += [Row(next(_look_alikes(faker, draw)), "") for _ in range(8 * each)]
    draw.shuffle(made)
    return made


def planted(kind: str, value: str, locale: str, draw: random.Random) -> Row:
    language = locale[:2]
    if kind == "url_credentials":
        around = "https://{}@db.example.com/orders"
    else:
        before = BEFORE.get(kind, {})
        around = before.get(locale, before.get(language, "password: " if kind == "password" else "")) + "{}"
    text = draw.choice(AROUND[language]).replace("{}", around)
    start = text.index("{}")
    if value.startswith("tel. "):
        value, text, start = value[5:], text.replace("{}", "tel. {}"), start + 5
    return Row(text.replace("{}", value), kind, start, start + len(value))


def makers(faker: Any, locale: str, draw: random.Random) -> dict[str, Callable[[], str]]:
    """How a value of each kind is drawn in a locale."""
    makers: dict[str, Callable[[], str]] = {
        "email": lambda: str(draw.choice([faker.email, faker.company_email, faker.ascii_free_email])()),
        "phone": lambda: _phone(faker),
        "card": lambda: _grouped(str(faker.credit_card_number()), draw),
        "iban": lambda: _in_fours(str(faker.iban()), draw),
        "ip_address": lambda: str(faker.ipv4_public() if draw.random() < 0.7 else faker.ipv6()),
        "mac_address": lambda: str(faker.mac_address()),
        "street_address": lambda: _street(faker),
        "api_key": lambda: _key(draw),
        "password": lambda: str(faker.password(length=draw.randint(8, 16), special_chars=draw.random() < 0.5)),
        "url_credentials": lambda: f"{faker.user_name()}:{_letters(draw, 12)}",
    }
    ids = {"pt_BR": "cpf", "pl_PL": "pesel"}
    if locale in BEFORE["national_id"]:
        makers["national_id"] = lambda: str(getattr(faker, ids.get(locale, "ssn"))())
    if locale == "es_ES":  # Faker's does not follow from its seed
        makers["national_id"] = lambda: _dni(draw.randrange(10**7, 10**8))
    return makers


def _dni(number: int) -> str:
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _phone(faker: Any) -> str:
    """A number that shows that it is one: by +, 0 or brackets; others get a word before them."""
    number = str(faker.phone_number())
    return number if number.startswith(("+", "0", "(")) or number.count("-") == 2 else f"tel. {number}"


def _street(faker: Any) -> str:
    """A street with a number: some of Faker's have none, and are the name of a street."""
    while not any(map(str.isdigit, address := str(faker.street_address()).replace("\n", ", ").strip())):
        pass
    return address


def _letters(draw: random.Random, length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(draw.choices(letters, k=length - 2)) + "7q"


def _key(draw: random.Random) -> str:
    """A key of one of the forms that providers give out."""
    return draw.choice(
        [
            f"sk-{_letters(draw, 48)}",
            f"sk-ant-api03-{_letters(draw, 40)}",
            f"ghp_{_letters(draw, 36)}",
            f"AKIA{''.join(draw.choices(string.ascii_uppercase, k=14))}77",
            f"xoxb-{draw.randrange(10**11, 10**12)}-{_letters(draw, 24)}",
            f"AIza{_letters(draw, 35)}",
            f"glpat-{_letters(draw, 20)}",
            f"eyJhbGciOiJIUzI1NiJ9.eyJ{_letters(draw, 40)}.{_letters(draw, 43)}",
        ]
    )


def _grouped(digits: str, draw: random.Random) -> str:
    if len(digits) != 16 or draw.random() < 0.4:
        return digits
    return draw.choice([" ", "-"]).join(digits[at : at + 4] for at in range(0, 16, 4))


def _in_fours(text: str, draw: random.Random) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4)) if draw.random() < 0.5 else text


def _date(draw: random.Random) -> str:
    year, month, day = draw.randrange(1970, 2027), draw.randrange(1, 13), draw.randrange(1, 29)
    return draw.choice([f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}", f"{month}/{day}/{year}"])


def _look_alikes(faker: Any, draw: random.Random) -> Iterator[str]:
    """Numbers of things, versions, dates, ISBNs, prices, and words about passwords."""
    digits = "".join(draw.choices(string.digits, k=draw.randint(6, 16))).lstrip("0")
    version = ".".join(str(draw.randrange(30)) for _ in range(draw.randint(2, 4)))
    yield draw.choice(
        [
            f"Order {digits} has not arrived yet",
            f"Bestellnummer {digits} fehlt noch",
            f"invoice no. {draw.randrange(2019, 2026)}-{draw.randrange(10**5, 10**6)} is wrong",
            f"tracking number {draw.choice(['JD', '1Z', 'RR', ''])}{digits} does not work",
            f"since version {version} it crashes",
            f"we run v{version} on the server",
            f"on {_date(draw)} at {draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d} it broke",
            f"between {draw.randrange(1, 29):02d}.{draw.randrange(1, 13):02d}.2025 and 31/12/2025",
            f"the book is ISBN {faker.isbn13()}",
            f"ISBN {faker.isbn10()} is out of print",
            f"EAN {faker.ean13()} is not on the shelf",
            f"it costs {draw.randrange(1, 999)}.{draw.randrange(100, 999)},{draw.randrange(10, 99)} EUR",
            f"that makes ${draw.randrange(1, 9)},{draw.randrange(100, 999)},{draw.randrange(100, 999)}.00 in total",
            f"I paid {draw.randrange(100, 999)} {draw.randrange(100, 999)} kr for {draw.randrange(2, 99)} pieces",
            f"serial number {faker.bothify('??##-####-####-??').upper()}",
            f"case #{draw.randrange(10**6, 10**8)} was closed",
            f"the commit {faker.sha1()} broke it",
            f"error 0x{draw.randrange(16**8):08X} after {draw.randrange(10**6)} ms",
            f"id {faker.uuid4()} not found",
            "my password is wrong and I want a new one",
            "the password: required field stays empty",
            "the access token is invalid or expired",
            f"logo@{draw.randrange(2, 4)}x.png is blurred",
            f"take the {draw.randrange(2, 20)} road trips of {draw.randrange(2000, 2025)}",
            f"{draw.randrange(1, 13)}:{draw.randrange(10, 60)}:{draw.randrange(10, 60)} on floor 3",
        ]
    )
