"""Street addresses: a street's name with its number, in the forms of the commonest languages of Europe and America.

A name needs the word for a street (Street, -straße, rue, calle, via, ...) and a number; what follows it (flat, postcode
and town) belongs to it. Addresses without such a word are not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunesmith.privacy.span import Span

UPPER = "A-ZÀ-ÖØ-Þ" + "".join(filter(str.isupper, map(chr, range(0x100, 0x220))))
_LOWER = "a-zß-öø-ÿ" + "".join(filter(str.islower, map(chr, range(0x100, 0x220))))
_LETTER = f"{UPPER}{_LOWER}"
_NAME = rf"[{UPPER}][{_LETTER}'’.-]*"
_NUMBER = r"[0-9]{1,5}(?:[ -]?[A-Za-z](?![A-Za-z]))?(?:[/-][0-9]{1,4}[a-z]?)?"
_ENGLISH = (
    r"Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Sq|Terrace|Crescent|Parkway|Pkwy"
    r"|Highway|Hwy|Way|Place|Pl|Alley|Trail|Grove|Close|Mews|Gardens|Row|Hill|Walk|Circle|Turnpike|Causeway"
)
#: The rarer words for a street that North American addresses use; they need a flat or a postcode after them.
_OF_AMERICA = (
    r"Bridge|Brook|Bypass|Camp|Canyon|Cape|Center|Cliff|Club|Common|Corner|Course|Cove|Creek|Crest|Crossing|Dale|Dam"
    r"|Divide|Estate|Expressway|Extension|Fall|Ferry|Field|Flat|Ford|Forest|Forge|Fork|Fort|Freeway|Garden|Gateway"
    r"|Glen|Green|Harbor|Haven|Heights|Hollow|Inlet|Island|Isle|Junction|Key|Knoll|Lake|Land|Landing|Light|Loaf|Lock"
    r"|Lodge|Loop|Mall|Manor|Meadow|Mill|Mission|Motorway|Mount|Mountain|Neck|Orchard|Oval|Overpass|Park|Pass|Passage"
    r"|Path|Pike|Pine|Plain|Plaza|Point|Port|Prairie|Radial|Ramp|Ranch|Rapid|Rest|Ridge|River|Route|Rue|Run|Shoal"
    r"|Shore|Skyway|Crossroad|Burg|Spring|Spur|Station|Stravenue|Stream|Summit|Throughway|Trace|Track|Trafficway|Tunnel|Underpass"
    r"|Union|Circus|Steps|Quadrant|Strand|Esplanade|Parade|Promenade|Arcade|Boardwalk|Concourse|Wharf|Quay|Valley|Via|Viaduct|View|Village|Ville|Vista|Wall|Well"
)
_FLAT = r"(?:,?\s(?:Apt|Suite|Ste|Unit|Flat|Apartment|Room|Floor|#)\.?\s?[A-Za-z0-9-]{1,6})"
_US_TOWN = rf"(?:,\s(?:{_NAME}\s?){{1,3}},\s?[A-Z]{{2}}\s[0-9]{{5}}(?:-[0-9]{{4}})?)"
_UK_TOWN = rf"(?:,\s(?:{_NAME}\s?){{1,3}},?\s[A-Z]{{1,2}}[0-9][0-9A-Z]?\s?[0-9][A-Z]{{2}})"
_TOWN = rf"(?:,\s(?:[A-Z]{{1,2}}-)?[0-9]{{2,5}}[ -]?[0-9]{{0,3}}(?:\s[A-Z]{{2}}(?=\s))?(?:\s{_NAME}){{1,3}})"

#: The endings that street names have, as one word with the name or after it.
ENDINGS = (
    r"[Ss]traße|[Ss]trasse|[Ss]tr\.|[Gg]asse|[Aa]llee|[Pp]latz|[Ww]eg|[Rr]ing|[Dd]amm|[Uu]fer|[Cc]haussee|[Ss]tieg"
    r"|straat|laan|plein|gracht|kade|singel|dijk|steeg|dreef|pad|hof|baan|boulevard"
    r"|gatan|vägen|gränd|torget|allén|stigen|gata|väg|stig|gade|vej|veien|vegen|gaten|vei|[Aa]llé|stræde|vænget|parken"
    r"|bakken|torv|plads|plass|katu|tie|kuja|polku|bulevardi|aukio|ranta|raitti|utca|út|tér|körút"
)

_AFTER = re.compile(  # 12 Main Street
    rf"(?<![\w.,/-])[0-9]{{1,5}}(?:/[0-9]{{1,4}})?[A-Za-z]?\s(?:[NSEW]{{1,2}}\.?\s|North\s|South\s|East\s|West\s)?(?:{_NAME}\s){{1,4}}"
    rf"(?:(?:{_ENGLISH})\b\.?{_FLAT}?(?:{_US_TOWN}|{_UK_TOWN})?|(?:{_OF_AMERICA})s?\b(?:{_FLAT}{_US_TOWN}?|{_US_TOWN}))"
)
_AMERICAN = re.compile(  # 44 Dickinson Radial: nothing of a name may follow, and no year may stand before it
    rf"(?<![\w.,/-])(?!(?:19|20)[0-9]{{2}}\s)[0-9]{{1,5}}(?:/[0-9]{{1,4}})?\s(?:{_NAME}\s){{1,3}}(?:{_ENGLISH}|{_OF_AMERICA})s?\b"
    rf"(?:{_FLAT}{_US_TOWN}?|(?!\s[{UPPER}]))"
)
_FLAT_FIRST = re.compile(  # Flat 4, Mellor Green
    rf"(?<![\w-])(?:Flat|Studio|Apartment|Apt\.?|Unit)\s[0-9]{{1,4}}[A-Za-z]?,?\s(?:[0-9]{{1,5}}[a-z]?\s)?"
    rf"(?:{_NAME}\s){{0,3}}{_NAME}{_UK_TOWN}?"
)
_SUFFIX = re.compile(  # Hauptstraße 12, Kerkstraat 12, Storgatan 12
    rf"(?<![\w-])(?:(?:v[ao]n\s(?:de[rn]?\s)?)?(?:{_NAME}\s){{0,2}}{_NAME}(?:[ -])?"
    rf"(?:{ENDINGS}))"
    rf"\s{_NUMBER}(?![\w%€$]|[.,:][0-9]){_TOWN}?"
)
_OF = (
    r"(?:d[eiou]s?\s|de\s(?:la|las|los|l['’])\s?|del(?:la|le|l['’])?\s?|d[oa]s?\s|d['’]|des\s|du\s|von\s"
    r"|van\s(?:de[rn]?\s)?|y\s|e\s|i\s)"
)
_PROPER = rf"{_OF}?{_NAME}(?:[\s-]{_OF}?{_NAME}){{0,4}}"
_BEFORE = re.compile(  # Calle Mayor 12, Via Roma, 12, ul. Długa 12
    r"(?<![\w-])(?:Calle|C/|C\.(?=\sde\s)|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrera|Camino|Ronda|Travesía|Cuesta|Rambla|Glorieta|Vial"
    r"|Pasaje|Callejón|Alameda|Acceso|Cañada|Urbanización|Pasadizo|Via|Viale|Piazza|Piazzale|Corso|Vicolo|Strada|Largo"
    r"|Borgo|Contrada|Stretto|Rotonda|Incrocio|Canale|Rua|Travessa|Praça|Estrada|Rodovia|Ladeira|Viela|Vereda|Condomínio"
    r"|Sítio|Conjunto|Estação|Chácara|Colônia|Distrito|Esplanada|Favela|Fazenda|Feira|Jardim|Lagoa?|Loteamento|Morro"
    r"|Núcleo|Parque|Passarela|Pátio|Praia|Quadra|Recanto|Residencial|Setor|Trecho|Trevo|Vale|Viaduto|Vila|Área|Campo"
    r"|Aeroporto|Av|Blv\.|Calzada|Andador|Privada|Eje\svial|Boulevard|Bulevar|Periférico|Circuito|Diagonal|Peatonal"
    r"|Prolongación|Circunvalación|Retorno|Ampliación|Corredor|Cerrada"
    r"|Aleea|[SȘŞ]oseaua|Bulevardul|Drumul|Intrarea|Calea|Splaiul|[Nn]áměstí|[Nn]ám\.|[Tt]řída|[Tt]ř\.|[Uu]lice"
    r"|[Uu]l\.|[Uu]lica|[Aa]l\.|[Aa]leja|[Pp]l\.|[Pp]lac|[Oo]s\.|[Ss]trada|[Bb]d\.)\s"
    rf"{_PROPER}(?:,\s?|\s)(?:(?:[nN][º°.]|[Nn]r\.)\s?)?{_NUMBER}(?![\w%€$]|[.:][0-9])(?:,?\s(?:Piano|Appartamento)\s[0-9]+)?"
    r"(?:\s(?:Interior\s)?[0-9]{3}(?![\w.,]))?(?:\s?,?\s{1,2}(?:Piso|Puerta|Apt\.|Apto\.?|m\.|Edif\.|Depto\.|Bl\.|Sc\.|Ap\.)\s?[0-9]+){0,3}"
    rf"{_TOWN}?"
)
_FRENCH = re.compile(  # 12, rue de la Paix
    rf"(?<![\w.,/-])[0-9]{{1,5}}(?:\s?(?:bis|ter))?,?\s(?:rue|avenue|boulevard|place|chemin|allée|impasse|quai|route"
    rf"|cours|square|passage|Rue|Avenue|Boulevard|Place|Chemin|Allée|Impasse|Quai|Route)\s{_PROPER}"
    rf"(?:,?\s[0-9]{{5}}\s{_NAME}(?:[\s-]{_NAME}){{0,3}})?"
)
_POST_BOX = re.compile(
    r"\b(?:P\.?\s?O\.?\s?Box|Postfach|Apartado(?:\sde\sCorreos)?|Postboks|Casella\sPostale)\s[0-9]{1,7}\b"
)
_FORMS = (_AFTER, _AMERICAN, _FLAT_FIRST, _SUFFIX, _BEFORE, _FRENCH, _POST_BOX)
#: 80 Days Way of Life, the 10 Mile Road Race: titles and not addresses.
_TITLE_AFTER = re.compile(r"\sof\s")
_ARTICLE_BEFORE = re.compile(r"\b[Tt]he\s\Z")
_NAME_AFTER = re.compile(rf"\s[{UPPER}]")
_SPACES = re.compile(r"[\s,.]+")


def streets(text: str) -> Iterator[Span]:
    """Street addresses with a number, and post boxes."""
    for form in _FORMS:
        for found in form.finditer(text):
            if _TITLE_AFTER.match(text, found.end()) or (
                _ARTICLE_BEFORE.search(text, max(0, found.start() - 4), found.start())
                and _NAME_AFTER.match(text, found.end())
            ):
                continue
            address = found[0].rstrip(".,'’- ")
            yield Span(
                "street_address", found.start(), found.start() + len(address), _SPACES.sub(" ", address).casefold()
            )
