"""What `clean` finds in the texts of rows: planted faults are found, sound texts are left alone."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import pytest
from clean_project import TEXT, cleaned, row
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.example import Example, messages_from_json
from tunesmith.language import is_other, language_of
from tunesmith.products import CleanSet, GoalSheet, Rule, UnevenFormat
from tunesmith.stages.clean import boilerplate, markup
from tunesmith.stages.clean.copied import share_copied
from tunesmith.stages.clean.encoding import mended
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.survey import spread
from tunesmith.stages.clean.truncated import is_finished, unclosed

THINGS = [
    *("tent", "stove", "canister", "bag", "pole", "peg", "map", "lamp"),
    *("boot", "sock", "rope", "filter", "kettle", "mat", "poncho"),
]
REPLY = GoalSheet(
    "text",
    "json",
    "",
    schema={
        "type": "object",
        "properties": {"day": {"type": "string"}, "city": {"type": "string"}, "reply": {"type": "string"}},
        "required": ["reply"],
    },
)


def usual(number: int = 60) -> list[Example]:
    """Rows of a shop's desk: plain English that ends with a full stop."""
    return [
        row(
            f"My order of {at + 2} {THINGS[at % 15]}s has not come yet, where is parcel number {at}?",
            f"We looked for your {THINGS[at % 15]}s and found them in parcel {at}; they come on Friday.",
            at,
        )
        for at in range(number)
    ]


def flagged(tmp_path: Path, odd: Example, code: str, goal: GoalSheet = TEXT, rows: list[Example] | None = None) -> str:
    """The evidence for which the row is flagged; every other row must not be."""
    made = cleaned(tmp_path, [*(usual() if rows is None else rows), odd], goal)
    lines = [line for line in made.ledger if line.state == "flagged"]
    assert [(line.id, line.code) for line in lines] == [(odd.id, code)], lines
    assert odd.id in {example.id for example in made.kept}
    return lines[0].evidence


def test_sound_rows_are_not_flagged(tmp_path: Path) -> None:
    made = cleaned(tmp_path, usual(), TEXT)
    assert made.ledger == []
    assert CleanSet(made.folder, {}).survey.uneven == ()
    assert CleanSet(made.folder, {}).survey.looked_at == 60


@pytest.mark.parametrize(
    ("broken", "meant"),
    [
        ("The cafÃ© opens at nine.", "The café opens at nine."),
        ("It doesnâ€™t fit the poleâ€¦", "It doesn’t fit the pole…"),
        ("GrÃ¼ÃŸe aus MÃ¼nchen", "Grüße aus München"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, ÐºÐ°Ðº Ð´ÐµÐ»Ð°?", "Привет, как дела?"),
        ("That is 12 â‚¬ for two.", "That is 12 € for two."),
    ],
)
def test_a_broken_encoding_is_mended_with_a_record(tmp_path: Path, broken: str, meant: str) -> None:
    given_row = row(broken, "Thank you, we will look at it.", 99)
    made = cleaned(tmp_path, [*usual(), given_row], TEXT, flag=[])
    [line] = made.ledger
    assert (line.id, line.state, line.code) == (given_row.id, "changed", "encoding")
    assert line.before is not None
    assert messages_from_json(line.before) == given_row.messages
    assert "→" in line.evidence
    assert next(example.input for example in made.kept if example.id == given_row.id) == meant


def test_of_a_broken_row_with_private_data_the_ledger_tells_no_characters(tmp_path: Path) -> None:
    given_row = row("Write to jÃ¶rg.mÃ¼ller@example.org please", "We did.", 99)
    made = cleaned(tmp_path, [*usual(), given_row], TEXT, flag=[])
    assert {line.code: line.evidence for line in made.ledger}["encoding"] == "read in the wrong encoding"
    assert next(example.input for example in made.kept if example.id == given_row.id) == "Write to [EMAIL_1] please"


def test_a_label_that_is_itself_broken_is_left_as_the_goal_has_it(tmp_path: Path) -> None:
    goal = GoalSheet("text", "label", "", labels=("cafÃ©", "bar"))
    rows = [row(f"question number {at} about {THINGS[at % 15]}", ("cafÃ©", "bar")[at % 2], at) for at in range(20)]
    assert cleaned(tmp_path, rows, goal).counts["kept"] == 20


WORDS = [
    *("the", "tent", "Grüße", "naïve", "café", "déjà", "Straße", "año", "niño", "coração", "Übergröße", "12", "€", "½"),
    *("“quoted”", "don’t", "–", "…", "привет", "Ελλάδα", "東京", "テント", "안녕", "שלום", "مرحبا", "łódź", "čeština"),
    *("İstanbul", "smørrebrød", "5°C", "£3", "©", "2024", "l'été"),
]


@pytest.mark.parametrize(
    "text",
    ["euro sign turns into â‚¬ in the export from the lake", "It says cafÃ© instead of café", "Ã¼ statt ü im Brief"],
)
def test_a_text_about_broken_characters_keeps_them(text: str) -> None:
    assert mended(text) == text


SOUND = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(SOUND)
def test_sound_text_is_never_touched_and_what_was_broken_comes_back(text: str) -> None:
    assert mended(text) == text
    assert mended(mended(text)) == text


@given(st.sampled_from(["Grüße", "café", "niño", "don’t", "€", "Straße", "coração", "smørrebrød"]), st.text("ab c"))
def test_text_that_was_read_as_latin_1_comes_back(word: str, around: str) -> None:
    text = f"{around}{word} {around}"
    try:
        broken = text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return
    assert mended(broken) == text


@pytest.mark.parametrize(
    "text",
    [
        "Please <b>hurry</b>, it is for Saturday",
        "First line<br>second line",
        "Salt &amp; pepper, &nbsp; both out of stock",
        '<a href="https://shop.example">the shop</a>',
        "[b]Hurry[/b], please",
        "Dear {{ first_name }}, where is it?",
        "<!-- signature --> Anna",
    ],
)
def test_left_over_markup_is_flagged(tmp_path: Path, text: str) -> None:
    assert "the input has" in flagged(tmp_path, row(text, "We will look at it tomorrow morning.", 99), "markup")


@pytest.mark.parametrize(
    "text",
    [
        "Is 3 < 5 and 7 > 2?",
        "What does the <div> tag do?",
        "Use `<br>` in the template",
        "```html\n<p>Hi</p>\n```",
        "I <3 this tent & the stove; thanks",
        "AT&T; and [PERSON_1] {ok}",
        "x < y and z<b > 5",
    ],
)
def test_what_only_looks_like_markup_is_left_alone(text: str) -> None:
    assert markup.find(text) == []
    assert markup.without(text) == text


def test_markup_that_most_rows_have_is_their_style(tmp_path: Path) -> None:
    rows = [row(f"Page {at}", f"<p>Page {at} is here and well.</p>", at) for at in range(40)]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_markup_that_most_rows_have_stays_when_it_is_to_be_taken_out(tmp_path: Path) -> None:
    rows = [row(f"Page {at}", f"<p>Page {at} is here and well.</p>", at) for at in range(40)]
    made = cleaned(tmp_path, rows, TEXT, fix=["markup"])
    assert [example.answer for example in made.kept] == [example.answer for example in rows]


def test_markup_is_taken_out_on_request_with_a_record(tmp_path: Path) -> None:
    odd = row("<p>Salt &amp; pepper</p><p>and <b>soon</b></p>", "Both are on the way to you.<br>Thank you.", 99)
    made = cleaned(tmp_path, [*usual(), odd], TEXT, fix=["markup"])
    [line] = made.ledger
    assert (line.state, line.code) == ("changed", "markup")
    [kept] = [example for example in made.kept if example.id == odd.id]
    assert (kept.input, kept.answer) == ("Salt & pepper\nand soon", "Both are on the way to you.\nThank you.")


MARKED = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b>", "</b>", "<br>", "&amp;", "&lt;", "b", "&gt;", "br", "/", ">", "<", "tent ", "`"]
    )
).map("".join)


@given(MARKED)
def test_taking_markup_out_twice_is_as_once(text: str) -> None:
    once = markup.without(text)
    assert markup.without(once) == once


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("As an AI language model, I have no tent of my own.", "model"),
        ("I'm just an AI, but tents are fun.", "model"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("I’m sorry, but I cannot fulfill that request.", "refusal"),
        ("Sorry, I can't help with that request.", "refusal"),
        ("I cannot create content that promotes fires.", "refusal"),
        ("Sure! Here is a reply to the customer: we will send it.", "opening"),
        ("Certainly! Here's a polite answer.", "opening"),
        ("Put the pole in first. I hope this helps!", "closing"),
        ("Dear customer, it is on its way. Best, [Your Name]", "slot"),
        ("Als KI-Sprachmodell kann ich keine Zelte kaufen.", "model"),
        ("Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.", "refusal"),
        ("En tant que modèle de langage, je ne dors pas.", "model"),
        ("Lo siento, pero no puedo ayudarte con eso.", "refusal"),
        ("Mi dispiace, ma non posso aiutarti con questo.", "refusal"),
        ("Como um modelo de linguagem, não tenho barraca.", "model"),
        ("Как языковая модель, я не сплю.", "model"),
        ("作为一个人工智能语言模型，我没有帐篷。", "model"),
    ],
)
def test_boilerplate_of_other_models_is_found(answer: str, kind: str) -> None:
    found = boilerplate.find(answer)
    assert found is not None
    assert found[0] == kind


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but we cannot refund a tent that was used.",
        "I'm sorry, I can't send it abroad, but our shop in Lyon can.",
        "Sorry, I can't help with that from here; billing can, at the counter.",
        "Sure, we will send it again today.",
        "Of course! Your refund is on its way.",
        "Certainly: two pegs are missing, and we send them today.",
        "I cannot find your order. Which name is it under?",
        "Let me know if you need anything else.",
        "The language of the model railway club is German.",
        "As an airline, we fly at night.",
        "Your account [EMAIL_1] is open again.",
        "Es tut mir leid, die Heringe fehlten. Wir senden sie heute.",
        "Lo siento, no podemos enviar la tienda a Canarias.",
        "Here is your invoice.",
    ],
)
def test_sound_replies_are_no_boilerplate(answer: str) -> None:
    assert boilerplate.find(answer) is None


def test_boilerplate_is_flagged_and_dropped_on_request(tmp_path: Path) -> None:
    odd = row("Can I return it?", "I'm sorry, but I can't assist with that.", 99)
    assert "a model refuses" in flagged(tmp_path, odd, "boilerplate")
    made = cleaned(tmp_path, [*usual(), odd], TEXT, drop=["boilerplate"])
    assert (made.line(odd).state, made.line(odd).code) == ("set_aside", "boilerplate")
    assert made.read("set_aside") == [odd]


@pytest.mark.parametrize(
    "answer",
    [
        "We looked for your tent and found it in the parcel, so it will be with the",
        "Here is how you do that:\n```sh\ntunesmith run\n",
        '{"parcel": 12, "state": "on its way", "day": "Fri',
    ],
)
def test_an_answer_that_stops_in_the_middle_is_flagged(tmp_path: Path, answer: str) -> None:
    assert answer[-10:].split()[-1] in flagged(tmp_path, row("And mine, is it late?", answer, 99), "truncated")


@pytest.mark.parametrize(
    "answer",
    [
        "It is on its way and will come on Friday.\n\nBest wishes,\nFern from Fernway",
        "You can follow the parcel on https://shop.example/parcels",
        "All of the parts together will cost you 125 €",
        "You will need these parts for the tent:\n- the poles\n- the pegs",
        "We hope that you will be glad with the tent 🙂",
        "He said that it is “on its way.”",
    ],
)
def test_answers_that_end_otherwise_are_left_alone(tmp_path: Path, answer: str) -> None:
    assert cleaned(tmp_path, [*usual(), row("And mine, is it late?", answer, 99)], TEXT).ledger == []


def test_where_answers_have_no_full_stop_none_is_truncated(tmp_path: Path) -> None:
    rows = [
        row(f"Headline number {at}", f"Ten good {THINGS[at % 15]}s for a long walk of {at} days", at)
        for at in range(60)
    ]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_answers_cut_at_one_length_are_flagged(tmp_path: Path) -> None:
    text = " ".join(f"{thing} and then the next {thing}" for thing in THINGS)
    cut = [row(f"Tell me all, number {at}", f"{at} {text[at:]}"[:200], 100 + at) for at in range(10, 18)]
    whole = [row(f"Tell me of {at}", f"{at} {text[: 120 + 3 * at].strip()}", at) for at in range(40)]
    made = cleaned(tmp_path, [*whole, *cut], TEXT)
    assert {line.id for line in made.ledger if line.code == "truncated"} == {example.id for example in cut}
    assert "exactly 200 characters" in made.ledger[0].evidence


@given(st.text())
def test_looking_for_an_unfinished_end_takes_any_text(text: str) -> None:
    assert is_finished(text + ".")
    unclosed(text)


def test_an_answer_that_copies_the_question_is_flagged(tmp_path: Path) -> None:
    question = "My tent came without the pegs and the bag is torn, can you send new ones before Saturday"
    assert "again" in flagged(tmp_path, row(question, f"{question}.", 99), "copied")
    assert "repeats 100%" in flagged(
        tmp_path, row(question, f"You say: {question}. We will see what we can do.", 98), "copied"
    )


def test_a_task_of_rewriting_is_no_copying(tmp_path: Path) -> None:
    rows = [
        row(
            f"please correct the sentence about {thing} and {at} more of them",
            f"Please correct the sentence about {thing} and {at} more of them.",
            at,
        )
        for at, thing in enumerate(THINGS * 2)
    ]
    assert cleaned(tmp_path, rows, TEXT).ledger == []


def test_a_short_quote_of_the_question_is_no_copy() -> None:
    assert (
        share_copied(
            "the bag is torn at the left seam", "The bag is torn? We are sorry and send you another one today."
        )
        is None
    )


def test_a_row_in_another_language_is_flagged_with_both_languages_named(tmp_path: Path) -> None:
    odd = row("Ich möchte bitte mein Geld zurück, das Zelt kam ohne Heringe an.", "We send it back to you today.", 99)
    told = flagged(tmp_path, odd, "language")
    assert "German" in told
    assert "English" in told
    made = cleaned(tmp_path, [*usual(), odd], TEXT, drop=["language"])
    assert made.line(odd).state == "set_aside"


def test_a_set_of_several_languages_has_no_rest(tmp_path: Path) -> None:
    german = [
        row(f"Meine Bestellung über {at} Zelte ist noch nicht da, wo ist das Paket?", "Es kommt bald.", 200 + at)
        for at in range(30)
    ]
    made = cleaned(tmp_path, [*usual(), *german], TEXT)
    assert [line for line in made.ledger if line.code == "language"] == []


def test_near_languages_short_texts_and_lists_of_names_are_not_told_apart() -> None:
    assert not is_other("no", "da")
    assert is_other("de", "en")
    assert language_of("Bonjour Madame") is None
    assert language_of("AB-12 / 4711 / XZ-9 / 2024-12-24 / 42 / 77 / 88-99 / 1234567890") is None


@given(st.text())
def test_any_text_has_a_language_or_none(text: str) -> None:
    found = language_of(text * 20)
    assert found is None or found.share >= 80


RULES = GoalSheet(
    "text",
    "text",
    "",
    rules=(Rule(ends_with=("Friday.",), never_contains=("guarantee",), at_most_words=30), Rule(matches=r"parcel \d+")),
)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("We found it in parcel 7; with our Guarantee it comes on Friday.", "must not be there"),
        ("We found it in parcel 7; it comes on Monday.", "not with"),
        ("We found it; it comes on Friday.", "is not found"),
        ("parcel 7 " + "and on " * 20 + "Friday.", "more than 30"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_set_aside_with_the_rule(tmp_path: Path, answer: str, told: str) -> None:
    odd = row("And mine?", answer, 99)
    made = cleaned(tmp_path, [*usual(), odd], RULES)
    [line] = [line for line in made.ledger if line.state == "set_aside"]
    assert (line.id, line.code) == (odd.id, "rules")
    assert told in line.evidence


@pytest.mark.parametrize("rows", [10, 11, 100, 101])
def test_the_survey_looks_at_rows_from_the_whole_file_each_once(tmp_path: Path, rows: int) -> None:
    made = cleaned(tmp_path, usual(rows), TEXT)
    source = next(tmp_path.glob("collect-*")) / "examples.parquet"
    looked = [example.source.row for example in spread(source, made.counts["in"], most=9)]
    assert looked == sorted(set(looked))
    assert len(looked) == 9
    assert looked[-1] >= made.counts["in"] * 0.8


def uneven(
    tmp_path: Path, answers: list[str], goal: GoalSheet = TEXT, **chosen: object
) -> tuple[list[UnevenFormat], list[str]]:
    """What is found uneven, and the answers as they are kept."""
    rows = [row(f"question {at} about the {THINGS[at % 15]}", answer, at) for at, answer in enumerate(answers)]
    made = cleaned(tmp_path, rows, goal, **chosen)
    return list(CleanSet(made.folder, {}).survey.uneven), [str(example.answer) for example in made.kept]


STRAIGHT = [f'We don\'t have "{thing}" number {at} now.' for at, thing in enumerate(THINGS)]
CURLY = [text.replace("'", "’").replace('"', "”").replace(" ”", " “") for text in STRAIGHT]
BULLETS = [f"Parts of {at}:\n- pole\n- peg" for at in range(12)]
EURO_AFTER = [f"It costs {at} € for all." for at in range(12)]
POINT = [f"It costs €{at}.50 for all." for at in range(12)]
NO_STOP = [f"Ten good {thing}s for you" for thing in THINGS]


@pytest.mark.parametrize(
    ("code", "usual_answers", "odd", "mended_answer"),
    [
        ("quotes", STRAIGHT, "We don’t have “ropes” now.", 'We don\'t have "ropes" now.'),
        ("quotes", CURLY, 'We don\'t have "ropes" now.', "We don’t have “ropes” now."),
        ("spaces", STRAIGHT, "  Not now.\n\n\n\nLater.\n", "Not now.\n\nLater."),
        ("bullets", BULLETS, "Parts:\n* pole\n* bag", "Parts:\n- pole\n- bag"),
        ("money", EURO_AFTER, "It costs EUR 7 for all.", "It costs 7 € for all."),
        ("decimals", POINT, "It costs €1.007,25 for all.", "It costs €1,007.25 for all."),
        ("full_stop", NO_STOP, "Some good hats for you.", "Some good hats for you"),
    ],
)
def test_uneven_format_is_one_finding_and_is_mended_on_request(
    tmp_path: Path, code: str, usual_answers: list[str], odd: str, mended_answer: str
) -> None:
    answers = [*usual_answers, odd]
    found, kept = uneven(tmp_path, answers)
    assert kept == answers
    [finding] = [one for one in found if one.code == code]
    assert finding.exceptions == 1
    assert finding.wanted is not None
    found, kept = uneven(tmp_path, answers, fix=[code])
    assert [one for one in found if one.code == code] == []
    assert kept == [*usual_answers, mended_answer]
    assert uneven(tmp_path, kept, fix=[code]) == (found, kept)


def _tickets(key: str, values: list[str]) -> list[str]:
    return [json.dumps({key: value, "reply": f"Number {at} is on its way."}) for at, value in enumerate(values)]


def test_dates_of_a_field_get_one_form_where_they_can_be_read(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["14.05.2024", "15 June 2024"]
    found, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert [json.loads(answer)["day"] for answer in kept][-2:] == ["2024-05-14", "2024-06-15"]
    assert found == []


def test_dates_that_can_be_read_in_two_ways_are_shown_and_not_changed(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["03/04/2024"]
    _, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert json.loads(kept[-1])["day"] == "03/04/2024"
    assert uneven(tmp_path, _tickets("day", values), REPLY)[0][0].code == "dates"


def test_slashes_mean_what_the_other_dates_of_the_field_say(tmp_path: Path) -> None:
    values = [f"2024-03-{day:02}" for day in range(1, 13)] + ["03/04/2024", "25/04/2024"]
    _, kept = uneven(tmp_path, _tickets("day", values), REPLY, fix=["dates"])
    assert [json.loads(answer)["day"] for answer in kept][-2:] == ["2024-04-03", "2024-04-25"]


def test_spellings_of_a_value_become_the_commonest(tmp_path: Path) -> None:
    values = ["Berlin", "Lyon", "Graz"] * 4 + ["BERLIN", "berlin "]
    found, _ = uneven(tmp_path, _tickets("city", values), REPLY)
    assert [(one.code, one.where, one.exceptions) for one in found if one.code == "letter_case"] == [
        ("letter_case", "city", 2)
    ]
    _, kept = uneven(tmp_path, _tickets("city", values), REPLY, fix=["letter_case"])
    assert [json.loads(answer)["city"] for answer in kept] == ["Berlin", "Lyon", "Graz"] * 4 + ["Berlin", "Berlin"]


ANY = st.text(st.sampled_from("ab .,'\"“”’\n-*•€$15 <>&;()[]{}`\t\u00a0"), max_size=40)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=10, max_size=14))
def test_with_every_fix_and_look_on_nothing_is_lost_and_a_second_run_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    every = ["encoding", "markup", "spaces", "quotes", "bullets", "money", "decimals", "full_stop"]
    rows = [row(f"question {at} {given_text}", f"{at} {answer}", at) for at, (given_text, answer) in enumerate(pairs)]
    made = cleaned(tmp_path_factory.mktemp("any"), rows, TEXT, fix=every, drop=["empty"], private="keep")
    assert made.counts["in"] == len(rows) == made.counts["kept"]
    for line in made.ledger:
        if line.state == "changed":
            before = next(example for example in rows if example.id == line.id)
            assert line.before is not None
            assert messages_from_json(line.before) == before.messages


@pytest.mark.parametrize(
    ("file", "given_key", "answer_key"),
    [("support-desk/tickets.csv", "message", "reply"), ("brand-voice/products.jsonl", "prompt", "completion")],
)
def test_of_the_rows_of_the_examples_none_is_flagged(
    tmp_path: Path, file: str, given_key: str, answer_key: str
) -> None:
    """Their faults are of other kinds: every flag would be a false alarm."""
    path = Path(__file__).parents[3] / "examples" / file
    with path.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines)) if path.suffix == ".csv" else [json.loads(line) for line in lines]
    rows = [row(each[given_key], each[answer_key], at) for at, each in enumerate(found)]
    assert len(rows) > 350
    made = cleaned(tmp_path, rows, TEXT)
    looked_at = [line for line in made.ledger if line.state == "flagged" and line.code != "conflict"]
    assert looked_at + [line for line in made.ledger if line.code == "encoding"] == []


def test_what_a_survey_taught_reaches_other_processes_whole(tmp_path: Path) -> None:
    given_rows = [*usual(), row("Ich möchte bitte mein Geld zurück, das Zelt kam ohne Heringe an.", "We pay the", 99)]
    chosen = CleanSettings(fix=["quotes", "letter_case"])
    steps = RowSteps(TEXT, chosen)
    steps.survey(given_rows)
    there = RowSteps(TEXT, chosen, 0, pickle.loads(pickle.dumps(steps.learned)))
    assert [there.check(example) for example in given_rows] == [steps.check(example) for example in given_rows]
    assert [flag.code for flag in there.check(given_rows[-1]).flags] == ["language"]
