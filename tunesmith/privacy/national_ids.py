"""Numbers that states give to persons, known by their check digits (python-stdnum holds the rules)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from tunesmith.privacy.plain_form import WORD
from tunesmith.privacy.span import Span


class Id(NamedTuple):
    """One country's number: stdnum's module, its shape, and whether shape and check are enough without a word."""

    module: str
    shape: str
    alone: bool = False


_IDS = (
    Id("us.ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", True),
    Id("us.ssn", r"[0-9]{9}"),
    Id("ca.sin", r"[0-9]{3}[ -][0-9]{3}[ -][0-9]{3}|[0-9]{9}"),
    Id("br.cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", True),
    Id("br.cpf", r"[0-9]{11}"),
    Id("mx.curp", r"[A-Z]{4}[0-9]{6}[A-Z]{6}[A-Z0-9][0-9]", True),
    Id("ar.dni", r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}|[0-9]{8}"),
    Id("cl.rut", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", True),
    Id("de.idnr", r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}"),
    Id("fr.nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", True),
    Id("es.dni", r"[0-9]{8}-?[A-Z]", True),
    Id("es.nie", r"[XYZ]-?[0-9]{7}-?[A-Z]", True),
    Id("it.codicefiscale", r"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", True),
    Id("nl.bsn", r"[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3}"),
    Id("be.nn", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", True),
    Id("be.nn", r"[0-9]{11}"),
    Id("pl.pesel", r"[0-9]{11}"),
    Id("pt.cc", r"[0-9]{8} ?[0-9] ?[A-Z0-9]{2}[0-9]", False),
    Id("se.personnummer", r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", True),
    Id("fi.hetu", r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]", True),
    Id("no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}"),
    Id("dk.cpr", r"[0-9]{6}-[0-9]{4}"),
    Id("ch.ssn", r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", True),
    Id("cz.rc", r"[0-9]{6}/[0-9]{3,4}", True),
    Id("ro.cnp", r"[1-9][0-9]{12}"),
    Id("bg.egn", r"[0-9]{10}"),
    Id("gr.amka", r"[0-9]{11}"),
    Id("hr.oib", r"[0-9]{11}"),
    Id("ee.ik", r"[0-9]{11}"),
    Id("tr.tckimlik", r"[0-9]{11}"),
    Id("in_.aadhaar", r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{12}"),
    Id("cn.ric", r"[0-9]{17}[0-9X]", True),
    Id("kr.rrn", r"[0-9]{6}-[0-9]{7}", True),
    Id("jp.in_", r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}"),
    Id("za.idnr", r"[0-9]{13}"),
    Id("ie.pps", r"[0-9]{7}[A-W][A-IW]?"),
    Id("au.tfn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}"),
)
_WORD_BEFORE = re.compile(
    r"(?:\bssn\b|social security|social insurance|\bsin\b|tax (?:id|file)|\btfn\b"
    r"|national (?:id|insurance|number)|\bid card|identity (?:card|number)|personal (?:id|number|code)"
    r"|passport|steuer-?id\w*|steuerliche|identifikationsnummer|\bidnr"
    r"|\bcpf\b|\bdni\b|\bnie\b|\bbsn\b|burgerservice\w*|sofi-?nummer|rijksregister\w*|\bnn\b|registre national"
    r"|pesel|personnummer|fødselsnummer|fodselsnummer|\bcpr\b|\bcnp\b|\begn\b|егн|αμκα|\bamka\b|\boib\b|isikukood"
    r"|kimlik|\bt\.?c\.? no|aadhaar|aadhar|my ?number|マイナンバー|\bpps|cartão de cidadão"
    r"|codice fiscale|sécurité sociale"
    r"|n° de sécu\w*|身份证|id number|citizen)[^\n]{0,32}\Z",
    re.IGNORECASE,
)
_SHAPES = tuple((one, re.compile(one.shape)) for one in _IDS)
#: Any run that one of the shapes might fit; the shapes are tried on its pieces.
_RUN = re.compile(
    rf"(?<!{WORD})(?<![.,/+-])"
    r"(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[12] [0-9]{2} [0-9]{2} [0-9][0-9AB] [0-9]{3} [0-9]{3} [0-9]{2}"
    r"|[0-9]{8} [0-9] [A-Z0-9]{3}|[0-9]{2,4}(?:[ -][0-9]{2,4}){2,3}|[0-9]{6} [0-9]{5}"
    r"|[A-Z0-9][A-Za-z0-9./+-]{6,18}[A-Za-z0-9])"
    rf"(?!{WORD}|[-./+][0-9])"
)


def national_ids(text: str) -> Iterator[Span]:
    """Numbers of persons with right check digits; where chance would often be right, only after a word that says so."""
    for found in _RUN.finditer(text):
        value = found[0]
        if sum(map(str.isdigit, value)) < 5:
            continue
        named: bool | None = None
        for one, shape in _SHAPES:
            if not shape.fullmatch(value):
                continue
            if not one.alone:
                if named is None:
                    named = bool(_WORD_BEFORE.search(text[max(0, found.start() - 64) : found.start()]))
                if not named:
                    continue
            if _is_valid(one.module)(value):
                yield Span("national_id", found.start(), found.end(), re.sub(r"[^0-9A-Z]", "", value))
                break


@functools.cache
def _is_valid(module: str) -> Callable[[str], bool]:
    checked: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return checked
