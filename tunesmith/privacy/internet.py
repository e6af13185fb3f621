"""E-mail addresses, IP and MAC addresses, and user names with passwords in URLs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tunesmith.privacy.plain_form import UNSPACED, WORD, unmistakable
from tunesmith.privacy.span import Span

_LOCAL = re.compile(rf"(?:[^\W{UNSPACED}]|[.+%'&~-]){{1,64}}\Z")
_DOMAIN = re.compile(
    rf"(?:(?:[^\W{UNSPACED}_]|[-_]){{1,63}}\.){{1,8}}"
    rf"(?:xn--[a-z0-9-]{{2,59}}|[A-Za-z]{{2,24}}(?![A-Za-z0-9_])|[^\W\d_a-zA-Z{UNSPACED}][^\W\d_{UNSPACED}]{{1,23}}"
    r"|中国|中國|香港|台湾|台灣|한국|みんな|ไทย)",
    re.IGNORECASE,
)
_FILE_ENDINGS = frozenset(
    ("png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "mjs", "ts", "json", "html", "txt", "pdf", "zip")
)


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, letters of any script; not image names (logo@2x.png) nor git@host:path."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        local = _LOCAL.search(text[max(0, at - 64) : at]) if domain else None
        if domain and local:
            name = local[0].lstrip(".'&%~-")
            ending = domain[0].rpartition(".")[2].lower()
            repository = name == "git" and text[domain.end() : domain.end() + 1] == ":"
            if name and ending not in _FILE_ENDINGS and not repository:
                yield Span("email", at - len(name), domain.end(), unmistakable(f"{name}@{domain[0]}"))
        at = text.find("@", at + 1)


_URL_CREDENTIALS = re.compile(r"(?<=://)[^\s/@:?#\[\]<>\"']{0,128}:[^\s/@?#\[\]<>\"']{1,256}(?=@[\w\[.-])")


def url_credentials(text: str) -> Iterator[Span]:
    """What stands between :// and @ of a URL: a user's name and password."""
    for found in _URL_CREDENTIALS.finditer(text):
        yield Span("url_credentials", found.start(), found.end(), found[0])


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<!{WORD})(?<![.+-])(?<!(?<!/)/)(?:{_OCTET}\.){{3}}{_OCTET}(?!{WORD}|\+|\.[0-9]|-[\w])")
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\bversion|\brelease|\bbuild|\bfirmware|\bdriver|\bupdate|\bsection|\bchapter|§|\bnr\.?|\bno\.?)[\s:=]*\Z",
    re.IGNORECASE,
)
_IP_BEFORE = re.compile(
    r"\b(?:ip|ipv4|addr\w*|host|server|ping|dns|client|from|login|gateway)\b[\s:=\w-]{0,12}\Z", re.IGNORECASE
)
_IPV6 = re.compile(rf"(?<!{WORD})(?<![:.])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:[0-9A-Fa-f]{{1,4}}|(?<=::))(?!{WORD}|:)")


def ip_addresses(text: str) -> Iterator[Span]:
    """IPv4 and IPv6 addresses that name a machine; not versions, netmasks, nor this machine (127.0.0.1)."""
    if text.count(".") >= 3:
        for found in _IPV4.finditer(text):
            octets = [int(octet) for octet in found[0].split(".")]
            before = text[max(0, found.start() - 24) : found.start()]
            if octets[0] in (0, 127) or octets[0] >= 224 or _VERSION_BEFORE.search(before):
                continue
            if max(octets) < 10 and not _IP_BEFORE.search(before):
                continue
            yield Span("ip_address", found.start(), found.end(), found[0])
    if text.count(":") >= 2:
        for found in _IPV6.finditer(text):
            groups = [group for group in found[0].split(":") if group]
            if len(groups) < 3 or not any(character.isdigit() for character in found[0]):
                continue  # a::b is a scope of C++ as well
            try:
                yield Span("ip_address", found.start(), found.end(), ipaddress.IPv6Address(found[0]).compressed)
            except ValueError:
                continue


_MAC = re.compile(
    rf"(?<!{WORD})(?<![:.-])(?:[0-9A-Fa-f]{{2}}([:-])(?:[0-9A-Fa-f]{{2}}\1){{4}}[0-9A-Fa-f]{{2}}"
    rf"|[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{4}})(?!{WORD}|[:-]|\.\w)"
)


def mac_addresses(text: str) -> Iterator[Span]:
    """Hardware addresses in pairs of hex digits (: or -) or as three groups of four; not all the same digit."""
    for found in _MAC.finditer(text):
        digits = re.sub(r"[:.-]", "", found[0]).lower()
        if len(set(digits)) > 1 and not ("." in found[0] and digits.isdigit()):
            yield Span("mac_address", found.start(), found.end(), digits)
