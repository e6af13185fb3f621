"""What is found in a text, and what is left alone because it only looks alike."""

from __future__ import annotations

import pytest

from tunesmith.privacy.find import find
from tunesmith.privacy.span import KINDS


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in find(text)]


PRIVATE = [
    ("email", "Write to {} please.", "anna.b+shop@example.co.uk"),
    ("email", "mailto:{}, thanks", "o'neil@example.com"),
    ("email", "我的邮箱是{}。谢谢", "zhang@qq.com"),
    ("email", "Schreib an {}!", "jürgen@müller.de"),
    ("email", "почта {}", "иван@пример.рф"),
    ("phone", "Call {} today", "+49 170 1234567"),
    ("phone", "Call {} today", "+33 (0)1 23 45 67 89"),
    ("phone", "or {}.", "(555) 234-5678"),
    ("phone", "or {}.", "555-234-5678"),
    ("phone", "mobil {}", "0170 1234567"),
    ("phone", "my phone is {}", "5552345678"),
    ("card", "card {} exp 12/27", "4111 1111 1111 1111"),
    ("card", "{}", "378282246310005"),
    ("iban", "to {} AND thanks", "DE89 3704 0044 0532 0130 00"),
    ("iban", "to {}.", "GB82WEST12345698765432"),
    ("national_id", "SSN {}", "536-22-1847"),
    ("national_id", "CPF {}", "529.982.247-25"),
    ("national_id", "mi DNI es {}", "12345678Z"),
    ("national_id", "PESEL {}", "44051401359"),
    ("national_id", "codice fiscale {}", "RSSMRA85T10A562S"),
    ("ip_address", "from {} at", "192.168.1.20"),
    ("ip_address", "host {}", "2001:db8::ff00:42:8329"),
    ("mac_address", "adapter {}", "00:1B:44:11:3A:B7"),
    ("street_address", "I live at {}.", "12 Main Street, Springfield, IL 62704"),
    ("street_address", "Ich wohne {}.", "Hauptstraße 12, 12345 Berlin"),
    ("street_address", "vivo en {}.", "Calle de Alcalá 5"),
    ("street_address", "j'habite au {}", "12, rue de la Paix"),
    ("street_address", "send to {}", "P.O. Box 1234"),
    ("api_key", "use {} now", "sk-proj-a1b2c3d4e5f6g7h8i9j0k1l2"),
    ("api_key", "use {} now", "ghp_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8"),
    ("api_key", "key {}", "AKIAIOSFODNN7EXAMPLE"),
    ("api_key", "api_key={}", "9f8e7d6c5b4a39281706"),
    ("api_key", "{}", "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"),
    ("password", "password: {}", "Tr0ub4dor&3"),
    ("password", "mein Passwort ist {}.", "Sommer2024!"),
    ("url_credentials", "https://{}@example.com/x", "bob:s3cret"),
]


@pytest.mark.parametrize(("kind", "sentence", "value"), PRIVATE)
def test_private_values_are_found_where_they_stand(kind: str, sentence: str, value: str) -> None:
    assert found(sentence.format(value)) == [(kind, value)]


def test_every_kind_is_tried() -> None:
    assert {kind for kind, _, _ in PRIVATE} == set(KINDS)


LOOK_ALIKES = [
    "Order 4532015112830366 has not arrived",  # passes the check of a card
    "ISBN 978-3-16-148410-0 and 9783161484100",
    "on 2024-01-15, 15.01.2024 or 01/15/2024 at 10:22:33",
    "version 1.2.3.4, v10.0.19041.1, Python 3.11.4",
    "it costs 1.299.000 EUR or $1,234,567.89 or 1 299 000 kr",
    "localhost is 127.0.0.1, the mask 255.255.255.0",
    "std::vector::iterator, 12:30:45",
    "the image logo@2x.png and git@github.com:org/repo",
    "my password is wrong and the password: required",
    "password is expired, passwort ist falsch, password: ********",
    "tracking number 00340434161094021501",
    "invoice 2024-000123, ticket #12345678",
    "we have 12 ways to pay, 3 close friends, take 5 Drive",
    "the token is invalid, an api key is needed",
    "between 2019-2024 there were 1000000 rows",
    "DE00 3704 0044 0532 0130 00 fails the check",
    "card 4111 1111 1111 1112 fails the check",
]


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "address",
    [
        "anna\u200b.b@example.com",
        "anna.b@exam\u00adple.com",
        "ａｎｎａ．ｂ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "аnnа.b@еxample.com",  # Cyrillic а, е
        "\u202eanna.b@example.com"[1:],
        "𝐚𝐧𝐧𝐚.b@example.com",
    ],
)
def test_addresses_in_disguise_are_found_whole_and_are_the_same_address(address: str) -> None:
    text = f"write to {address} or anna.b@example.com"
    spans = find(text)
    assert [text[span.start : span.end] for span in spans] == [address, "anna.b@example.com"]
    assert spans[0].key == spans[1].key


def test_digits_of_other_scripts_are_digits() -> None:
    assert found("اتصل +٤٩ ١٧٠ ١٢٣٤٥٦٧") == [("phone", "+٤٩ ١٧٠ ١٢٣٤٥٦٧")]


def test_no_repr_shows_the_value() -> None:
    assert "anna" not in repr(find("anna@example.com"))
