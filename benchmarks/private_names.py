"""Names found in sentences made up around names of many countries, and words that are none left alone."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Sequence

from benchmarks.command import shared
from benchmarks.figure import Figure, Skipped, at_least
from benchmarks.private_rows import Row

EACH = 60
LOCALES = ("en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "nl_NL", "sv_SE")
PLAIN_ROWS = 3_000
PRECISION = 0.95
SENTENCES = {
    "person": (
        "Hi, my name is {} and my order has not arrived.",
        "Dear {}, thank you for your message.",
        "The parcel was signed for by somebody called {}, who does not live here.",
        "Please book the meeting with {} for next week.",
        "I spoke to {} yesterday and was promised a refund.",
        "Where is my money?\n\nRegards,\n{}",
        "{} has left the company, please close the account.",
    ),
    "organisation": (
        "I work for {} and need an invoice.",
        "Our supplier {} has sent the wrong parts.",
        "Please put {} on the bill as the customer.",
    ),
    "place": (
        "The shop in {} was closed when I came.",
        "I am moving to {} next month, what happens to my contract?",
        "The train from {} was an hour late.",
    ),
}
#: Products, labels, brands and beginnings of sentences: nothing here is anybody's name.
NOT_NAMES = (
    "The Galaxy Watch does not pair with my Surface Pro.",
    "Can I pay with Apple Pay or only with Visa?",
    "The Brown Betty teapot and the Mary Jane shoes are sold out.",
    "Need Visio and Power BI on my new laptop, please.",
    "Cancel Transaction stays grey in the Billing Portal.",
    "How do I set up Face ID for the Banking App?",
    "Why was I charged a Top Up Fee on Monday?",
    "Is Premium Support part of the Gold Plan?",
    "The Nordic Trail tent leaks at the seam.",
    "Reset Password does nothing in Internet Explorer.",
    "Please route this to Network Operations, not to Payroll.",
    "The Robin Hood edition has a scratch on the lid.",
    "Will you send it again? May I ask why it took so long?",
    "Card Not Working is the wrong category for this.",
)


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Recall by kind, precision over all, rows a second; and false finds in rows of a bank's customers."""
    del overrides
    from tunesmith.errors import InputError
    from tunesmith.privacy.name_finder import find_names, require_names

    try:
        require_names("this benchmark")
    except InputError as error:
        raise Skipped(str(error)) from error
    find_names([["My name is Anna Smith."]], KINDS)
    corpus = rows(EACH)
    started = time.process_time()
    found = [find(row.text) for row in corpus]
    seconds = time.process_time() - started
    figures = []
    for kind in SENTENCES:
        chosen = [(row, spans) for row, spans in zip(corpus, found, strict=True) if row.kind == kind]
        hits = sum(any(start <= row.start and row.end <= end for _, start, end in spans) for row, spans in chosen)
        figures.append(Figure(f"{kind}, recall", hits / len(chosen), "", note=f"{hits:,} of {len(chosen):,}"))
    finds = [(row, *span) for row, spans in zip(corpus, found, strict=True) for span in spans]
    right = sum(row.kind != "" and start < row.end and end > row.start for row, _, start, end in finds)
    note = f"{right:,} of {len(finds):,}"
    figures.append(at_least("all kinds, precision", right / len(finds), "", PRECISION, note))
    figures.append(Figure("one by one", len(corpus) / seconds, "rows/s", note="processor time"))
    return [*figures, *plain()]


KINDS = frozenset(("person", "organisation", "place"))


def find(text: str) -> list[tuple[str, int, int]]:
    """The names of one text, as kind, start and end."""
    from tunesmith.privacy.find import find as found_in
    from tunesmith.privacy.name_finder import find_names

    names = find_names([[text]], KINDS)[0]
    return [(span.kind, span.start, span.end) for span in found_in(text, (), (), names)]


def plain() -> list[Figure]:
    """Rows of Banking77, which name countries and nobody: finds of people and organisations, and rows a second."""
    from tunesmith.privacy.name_finder import find_names

    with (shared("banking77") / "train.csv").open(encoding="utf-8", newline="") as file:
        texts = [[row[0]] for row in list(csv.reader(file))[1 : PLAIN_ROWS + 1]]
    started = time.process_time()
    names = find_names(texts, KINDS)
    seconds = time.process_time() - started
    wrong = sorted({name.text for one in names for name in one if name.kind != "place"})
    note = f"people and organisations in {len(texts):,} rows: {', '.join(wrong) or 'none'}"
    return [
        Figure("false finds in Banking77", len(wrong), "", note=note),
        Figure("rows of Banking77 in batches", len(texts) / seconds, "rows/s", note="processor time"),
    ]


def rows(each: int, seed: int = 5) -> list[Row]:
    """``each`` rows of every kind and locale, and a third as many without a name; shuffled."""
    from faker import Faker

    draw = random.Random(seed)
    made = []
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(seed)
        makers = {
            "person": lambda faker=faker: f"{faker.first_name()} {faker.last_name()}",
            "organisation": faker.company,
            "place": faker.city,
        }
        for kind, make in makers.items():
            for _ in range(each):
                value, text = str(make()), draw.choice(SENTENCES[kind])
                start = text.index("{}")
                made.append(Row(text.replace("{}", value), kind, start, start + len(value)))
        made += [Row(draw.choice(NOT_NAMES), "") for _ in range(each)]
    draw.shuffle(made)
    return made
