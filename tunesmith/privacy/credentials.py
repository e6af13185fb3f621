"""API keys, tokens, private keys and passwords."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from tunesmith.privacy.span import Span

#: The beginnings that providers give their keys, as their own pages and secret scanners list them.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"sk-(?:proj-|ant-|svcacct-|or-)?[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic, OpenRouter
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"  # AWS
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"  # Google
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{20,}"  # Stripe
    r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[a-f0-9]{40,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[a-f0-9]{32}|AC[a-f0-9]{32}|shp(?:at|ss|ca)_[a-fA-F0-9]{32}"
    r"|gsk_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{30,}|r8_[A-Za-z0-9]{30,}|dckr_pat_[A-Za-z0-9_-]{20,}"
    r"|hvs\.[A-Za-z0-9_-]{20,}|lin_api_[A-Za-z0-9]{30,}|secret_[A-Za-z0-9]{40,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON web tokens
    r")(?![A-Za-z0-9])"
)
_KEY_MARKS = (
    "sk-", "_", "glpat-", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ya29.", "GOCSPX-", "xox", "xapp-", "pypi-",
    "SG.", "key-", "AC", "xai-", "hvs.", ":AA", "eyJ",
)  # fmt: skip
_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END ).){0,16000}"
    r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
    re.DOTALL,
)
_NAMED_KEY = re.compile(
    r"(?:api[ _-]?key|access[ _-]?key|secret[ _-]?key|client[ _-]?secret|auth[ _-]?token|access[ _-]?token"
    r"|api[ _-]?token|bearer|token|secret|credential)s?['\"]?(?:\s{0,3}(?:[:=]|=>)\s{0,3}|\s(?:is\s)?)"
    r"(?:bearer\s)?['\"`]?([A-Za-z0-9_+/.~=-]{16,512})",
    re.IGNORECASE,
)
_NAMED_MARKS = ("key", "token", "secret", "bearer", "credential")


def api_keys(text: str, lowered: str) -> Iterator[Span]:
    """Keys with a provider's beginning, private key blocks, and random values that are called key or token."""
    if any(mark in text for mark in _KEY_MARKS):
        for found in _KEYS.finditer(text):
            if any(character.isdigit() for character in found[0]):
                yield Span("api_key", found.start(), found.end(), found[0])
    if "-----BEGIN" in text:
        for found in _BLOCK.finditer(text):
            yield Span("api_key", found.start(), found.end(), found[0])
    if any(mark in lowered for mark in _NAMED_MARKS):
        for found in _NAMED_KEY.finditer(text):
            value = found[1].rstrip(".")
            if _is_random(value):
                yield Span("api_key", found.start(1), found.start(1) + len(value), value)


def _is_random(value: str) -> bool:
    """Whether this was drawn and not written: letters and digits mixed, and few of them come back."""
    letters, digits = any(map(str.isalpha, value)), sum(map(str.isdigit, value))
    return letters and digits >= 2 and len(value) >= 16 and entropy(value) >= 3.0


def entropy(text: str) -> float:
    """Shannon entropy of the characters, in bits a character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


PASSWORD_WORDS = (
    "password|passwd|passphrase|passcode|pwd|passwort|kennwort|mot de passe|contraseña|contrasena|senha|wachtwoord"
    "|palavra-passe|adgangskode|passord|jelszó|lösenord|losenord|hasło|haslo|пароль|parola|heslo|salasana|şifre|密码|密碼|パスワード|비밀번호"
)
_MARKS = (*PASSWORD_WORDS.split("|"), "pass", "identified by")
_PASSWORD = re.compile(
    rf"(?:{PASSWORD_WORDS}|(?<![\w-])pass(?=['\"]?\s{{0,3}}[:=])|identified\sby(?=\s['\"]))['\"]?(?P<link>\s{{0,3}}(?:=>|[:=：＝])\s{{0,3}}|(?<=\sby)\s|(?<=\sBY)\s"
    r"|\s(?:is|was|ist|lautet|war|est|es|é|è|jest|är|to|auf)\s(?:now\s|set\sto\s)?:?)"
    r"(?P<quote>['\"`«„“]?)(?P<value>[^\s'\"`«»„“”<>]{4,128})",
    re.IGNORECASE,
)


def passwords(text: str, lowered: str) -> Iterator[Span]:
    """What is said to be a password, where it does not read like a word of the sentence."""
    if not any(mark in lowered for mark in _MARKS):
        return
    for found in _PASSWORD.finditer(text):
        value = found["value"]
        if not found["quote"]:
            value = value.rstrip(".,;:]}")
            before = text[max(0, found.start() - 60) : found.start()]
            if value.endswith(")") and before.count("(") > before.count(")"):
                value = value.rstrip(")")
        if _like_a_password(value, bool(found["quote"])):
            start = found.start("value")
            yield Span("password", start, start + len(value), value)


def _like_a_password(value: str, quoted: bool) -> bool:
    if len(value) < 4 or not value.strip("*•.xX_-"):
        return False  # already masked
    if value.startswith(("http://", "https://", "${", "{{", "$(", "[")):
        return False  # a link or a variable
    if any(map(str.isdigit, value)):
        return True
    if quoted and len(value) >= 6:
        return True
    symbols = sum(not character.isalnum() for character in value.strip("-_"))
    mixed = any(map(str.islower, value)) and any(map(str.isupper, value[1:]))
    return len(value) >= 6 and (mixed or (symbols > 0 and not re.fullmatch(r"[^\W\d_]+(?:[-'’/][^\W\d_]+)+", value)))
