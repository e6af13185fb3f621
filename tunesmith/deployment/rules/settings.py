"""Settings of the rules before and after the model: `serve.rules` in tunesmith.yaml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tunesmith.deployment.exchange import Did
from tunesmith.privacy.span import Kind
from tunesmith.settings import Settings

Standing = Literal["before", "after", "both"]
Given = Literal["system", "examples", "documents"]
#: The languages that `injections.toml` has patterns in; a test holds the two together.
Language = Literal["any", "en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "ru", "tr", "ar", "zh", "ja", "ko"]

#: What a rule can look for; each rule looks for one.
LOOKS = (
    "private",
    "words",
    "patterns",
    "injections",
    "topics",
    "repeats",
    "fits_schema",
    "at_most_words",
    "goal_rules",
)
#: What can be taken out of a text, with the rest left.
MASKABLE = ("private", "words", "patterns", "repeats")
#: What only an answer can break.
OF_ANSWERS = ("repeats", "fits_schema", "at_most_words", "goal_rules")
#: Where a rule stands that does not say.
STANDING: dict[str, Standing] = {"injections": "before", "topics": "before", **dict.fromkeys(OF_ANSWERS, "after")}
LONGEST_PATTERN = 2000  # characters


class RuleSettings(Settings):
    """One rule. It looks for one thing: private, words, patterns, injections, topics, repeats, …"""

    name: str = Field(pattern=r"^[\w.-]+$", description="What the rule is called in logs and in marks on answers.")
    where: Standing | None = Field(
        None,
        description="Whether it looks at requests (before), at answers (after), or both. Absent: both, but before for "
        "injections and topics, and after for what only an answer can break.",
    )
    do: Did | None = Field(
        None,
        description="What it does: mask (private, words, patterns, repeats), refuse with `text`, or hand_off to a "
        "person. Absent: mask for private and words, else refuse.",
    )
    text: str | None = Field(
        None, min_length=1, max_length=2000, description="What the client gets as the answer. Absent: a plain sentence."
    )
    private: Literal["all"] | list[Kind] | None = Field(
        None,
        description="Private data, of all kinds that need no model of the language, or of these. With person, "
        "organisation or place (extra `names`) answers are held back until they are whole.",
    )
    words: str | list[str] | None = Field(
        None, description="Words and phrases that must not be there, whole and in any case; or a file, one a line."
    )
    disguised: bool = Field(
        True,
        description="With words: find them as well with accents, look-alike letters, invisible characters, or "
        "s p e l l e d out.",
    )
    patterns: list[str] | None = Field(
        None, min_length=1, description="Regular expressions (RE2 syntax) of which none may be found."
    )
    injections: Literal["all"] | list[Language] | None = Field(
        None,
        description="Texts that want to take the model's instructions away or get at them, in all languages of the "
        "list or in these.",
    )
    topics: list[str] | None = Field(
        None, min_length=3, description="Three or more texts on what must not be asked, or answered: by their meaning."
    )
    threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="With topics: how like an example a text must be, as a cosine. Absent: fitted to the examples and "
        "the training inputs.",
    )
    repeats: list[Given] | None = Field(
        None,
        min_length=1,
        description="What an answer must not repeat of what the model was given: the system prompt, the examples or "
        "the documents of the set-up in use.",
    )
    in_a_row: int = Field(8, ge=4, le=50, description="With repeats: so many words in a row are a repetition.")
    fits_schema: bool | None = Field(
        None, description="Answers must fit the schema: the request's, else the goal's. They are held back until whole."
    )
    at_most_words: int | None = Field(
        None, ge=1, description="The most words of an answer. Answers are held back until they are whole."
    )
    goal_rules: bool | None = Field(
        None, description="Answers must keep to `goal.rules`. They are held back until they are whole."
    )

    @property
    def look(self) -> str:
        """What the rule looks for."""
        return next(name for name in LOOKS if getattr(self, name))

    @property
    def stands(self) -> Standing:
        return self.where or STANDING.get(self.look, "both")

    @property
    def does(self) -> Did:
        return self.do or ("mask" if self.look in ("private", "words") else "refuse")

    @field_validator("words", "topics")
    @classmethod
    def _not_blank(cls, texts: Any) -> Any:
        for text in [texts] if isinstance(texts, str) else texts or ():
            if not any(map(str.isalnum, text)):
                raise ValueError(f"{text!r} has no letter")
        return texts

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: list[str] | None) -> list[str] | None:
        from tunesmith.deployment.rules.patterns import fault_of

        faults = [f"{pattern[:60]!r} {fault}" for pattern in patterns or () if (fault := fault_of(pattern))]
        if faults:
            raise ValueError("; ".join(faults))
        return patterns

    @model_validator(mode="after")
    def _looks_for_one_thing(self) -> RuleSettings:
        looks = [name for name in LOOKS if getattr(self, name)]
        if len(looks) != 1:
            found = f"it looks for {' and '.join(looks)}" if looks else "it looks for nothing"
            raise ValueError(f"a rule looks for one thing, and {found}: give one of {', '.join(LOOKS)}")
        [look] = looks
        if self.does == "mask" and look not in MASKABLE:
            raise ValueError(f"{look} cannot be masked: refuse, or hand_off")
        if self.stands != "after" and look in OF_ANSWERS:
            raise ValueError(f"{look} is about answers, so it stands after the model")
        if self.text is not None and self.does == "mask":
            raise ValueError("what is masked needs no text")
        if self.threshold is not None and look != "topics":
            raise ValueError("threshold is for topics")
        return self


def twice(rules: list[RuleSettings]) -> list[str]:
    """The names that more than one rule has."""
    names = [rule.name for rule in rules]
    return sorted({name for name in names if names.count(name) > 1})
