"""Words by which a name is known, or by which it is known to be none."""

from __future__ import annotations


def _split(words: str) -> list[str]:
    return words.split()


#: Legal forms and words for institutions with which the name of an organisation ends.
ORGANISATION_ENDINGS = frozenset(_split(
    "inc ltd limited llc llp lp plc corp corporation company co gmbh ag kg mbh ohg ug se sa sas sarl srl spa bv"
    " nv ab as aps oy oyj sro pty pte group holding holdings partners associates sons brothers bank university"
    " college school academy hospital clinic institute association foundation council ministry insurance"
    " airlines airways hotel hotels restaurant pharmacy industries technologies solutions consulting logistics"
    " solicitors attorneys church library museum union trust ventures capital enterprises"
))  # fmt: skip
#: Small words inside of names.
PARTICLES = frozenset(_split(
    "de da do dos das del della der den di du van von la le el al bin ibn y e of the and ter ten"
))  # fmt: skip
#: What a model takes for names: days, brands that most shops speak of, words that begin a sentence or a letter.
NOT_NAMES = frozenset(_split(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
    " september october november december christmas easter visa mastercard maestro amex paypal google apple"
    " microsoft amazon facebook whatsapp instagram twitter windows android iphone linux outlook excel teams"
    " slack zoom chrome firefox please hello thanks regards sorry order invoice ticket account support team"
    " customer service password email phone english german french spanish euro dollar internet bluetooth wifi ok"
    " okay yes no"
))  # fmt: skip
#: First names that are common where English is written; a find that begins with one is a person.
GIVEN_NAMES = frozenset(_split(
    "aaron abdul abigail adam adrian ahmed aisha alan albert alejandro alessandro alex alexander alexandra"
    " alfred ali alice alicia alison allison amanda amber amelia amina amit amy ana anastasia anders andrea"
    " andreas andrew andrzej angela anil anita anja anjali ann anna anne annette annie anthony antonio arjun"
    " arthur ashley astrid barbara beatriz ben benjamin bernard bernd beth betty beverly birgit bjorn björn bob"
    " bogdan bradley brandon brenda brian bruce bruno bryan camila carl carla carlos carmen carol caroline"
    " catherine cecilia charles charlotte chen chloe chris christian christina christine christopher claire"
    " clara claudia colin connor courtney craig cynthia daniel daniela danielle dave david deborah debra deepak"
    " denise dennis derek diana diane diego dmitri dmitry dominic donald donna doris dorothy doug douglas duncan"
    " dylan edward edwin eileen elena elias elizabeth ella ellen emily emma enrique eric erica erik erika ethan"
    " eugene eva evelyn fatima felix fernando fiona florian frances francesca francesco francisco franz fred"
    " frederick gabriel gabriela gareth gary gavin george gerald giovanni giulia giuseppe gloria gordon graham"
    " gregory guillaume gustavo hannah hans harold harriet harry hassan heather heidi helen helena helga henry"
    " hiroshi howard hugo hussein ian ibrahim ines ingrid irene irina isaac isabel isabella ivan jack jacob"
    " jacqueline jake james jamie jane janet janice jasmine jason javier jay jeff jeffrey jennifer jeremy jerry"
    " jesse jessica jim joan joana joanna joanne joao joe joel johan johannes john johnny jonas jonathan jorge"
    " jose joseph joshua josé joyce juan judith judy julia julian julie justin jürgen karen karim karin karl"
    " karolina katarzyna kate katherine kathleen kathryn katie katrin keith kelly kenneth kevin khalid kim klaus"
    " krzysztof kumar kyle lars laura lauren lawrence leah lee lena leonard leslie liam linda lindsay lisa lorna"
    " lotte louis louise luca lucas lucia lucy luis luke lukas lynn magdalena malcolm manuel marc marco marcus"
    " margaret maria mariana marie mario marta martha martin martina mary matteo matthew maureen megan mehmet"
    " mei melanie melissa michael michel michelle miguel mike mohamed mohammed monica monika muhammad murat"
    " mustafa nancy natalia natalie natasha nathan neha neil niamh nicholas nick nicola nicolas nicole nigel"
    " nikolai nina noah nora oliver olivia olga omar oscar owen pablo pamela patricia patrick paul paula pauline"
    " pedro peggy penelope peter petra philip philippe phillip pierre piotr priya rachel rahul rajesh ralf ralph"
    " ramesh raquel rashid ravi raymond rebecca renate ricardo richard rita robert roberto robin rodrigo roger"
    " roland ronald rosemary roy russell ruth ryan sabine salma sally samantha samira samuel sandra sandeep"
    " sanjay sara sarah scott sean sebastian sergei sergio sharon sheila shirley silvia simon simone sofia sonia"
    " sophia sophie stefan stefano stella stephanie stephen steve steven stuart sunil susan suzanne sven sylvia"
    " takeshi tamara tanya tariq tatiana teresa terry theodore theresa thomas tiago tim timothy tina tobias tom"
    " tomas tomasz tony tracy ulrich ursula vanessa vera veronica victor victoria vijay vincent vladimir walter"
    " wei wendy wolfgang xavier yasmin yusuf yuki yvonne zachary zoe"
))  # fmt: skip
#: Small words that say which language a text is in; those that two languages share are left out.
ENGLISH = frozenset(_split(
    "the and are of my you your yours this that with have has had please can cannot does did been from what how"
    " why when where which who would could should they their there here it its i'm don want need about not for"
    " our us was were be by hello hi thanks is"
))  # fmt: skip
OTHER_LANGUAGES = frozenset(_split(
    "der das und ist nicht ich ein eine einen mit für auf von zu dem wie kann bitte mein le la les des et est"
    " pas je une pour que dans vous el los las es por para mi su gracias il lo gli che di sono della het een"
    " niet ik met voor op te mijn os uma não com em meu um w z na się nie jest proszę mam och att det är som på"
    " jag inte av og til ikke jeg er ja ei se että bir ve için bu ile"
))  # fmt: skip
