"""Settings of the stage `clean`: what is fixed and what is taken out, and why."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from tunesmith.privacy.find import REGIONS
from tunesmith.privacy.mask import CHOICES, Choice
from tunesmith.privacy.span import ALL_KINDS, KINDS, NAME_KINDS, Kind
from tunesmith.settings import Settings


class PrivateSettings(Settings):
    """What becomes of private values, by kind."""

    email: Choice = Field("mask", description="E-mail addresses.")
    phone: Choice = Field("mask", description="Phone numbers.")
    card: Choice = Field("mask", description="Numbers of payment cards (check digit).")
    iban: Choice = Field("mask", description="Bank accounts (modulo 97).")
    national_id: Choice = Field("mask", description="Numbers that states give to persons (check digits).")
    ip_address: Choice = Field("mask", description="IPv4 and IPv6 addresses.")
    mac_address: Choice = Field("mask", description="Hardware addresses.")
    street_address: Choice = Field("mask", description="Streets with their number, and post boxes.")
    api_key: Choice = Field("mask", description="API keys, tokens and private keys.")
    password: Choice = Field("mask", description="What is said to be a password.")
    url_credentials: Choice = Field("mask", description="User name and password in a URL.")
    person: Choice = Field("keep", description="Names of people (the extra `names`; English).")
    organisation: Choice = Field("keep", description="Names of companies and institutions (the extra `names`).")
    place: Choice = Field("keep", description="Names of towns, regions and countries (the extra `names`).")
    keep_names: list[str] = Field(
        [],
        description="Names that stay: of your products, of your own company. Labels and a schema's choices do anyway.",
    )
    regions: list[str] = Field(
        list(REGIONS),
        description="Countries (two letters) whose phone numbers are known without their + too.",
    )

    @field_validator("regions")
    @classmethod
    def _known(cls, regions: list[str]) -> list[str]:
        import phonenumbers

        unknown = [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no country with phone numbers: two letters such as DE")
        return regions

    @property
    def choices(self) -> dict[Kind, Choice]:
        return {kind: getattr(self, kind) for kind in ALL_KINDS}

    @property
    def names(self) -> frozenset[Kind]:
        """The kinds of names that are looked for."""
        return frozenset(kind for kind in NAME_KINDS if getattr(self, kind) != "keep")


class CleanSettings(Settings):
    """Fixed, masked and deduplicated; what was taken out can come back."""

    drop: list[
        Literal[
            "empty",
            "too_long",
            "duplicate",
            "near_duplicate",
            "conflict",
            "off_goal",
            "rules",
            "markup",
            "boilerplate",
            "truncated",
            "copied",
            "language",
        ]
    ] = Field(
        ["empty", "too_long", "duplicate", "conflict", "off_goal", "rules"],
        description="What is taken out: empty sides, over-long rows, duplicates, conflicts (same input, "
        "different answers; for output: text both are kept), answers that break the goal's labels, schema or rules. "
        "What `flag` names can be put here instead (not uneven, nor what the encoder finds); near_duplicate, when it "
        "is named, makes one of rows that are nearly the same.",
    )
    flag: list[
        Literal[
            "markup",
            "boilerplate",
            "truncated",
            "copied",
            "language",
            "uneven",
            "wrong_label",
            "same_meaning",
            "far",
            "near_duplicate",
        ]
    ] = Field(
        ["markup", "boilerplate", "truncated", "copied", "language", "uneven", "wrong_label", "same_meaning", "far"],
        description="What is kept and shown to be looked at: left-over HTML, boilerplate and refusals of other models, "
        "answers that stop in the middle or copy the question, another language than the rest, uneven format; "
        "labels that look wrong, inputs that mean the same, rows far from all others (these three need the encoder); "
        "near-duplicates.",
    )
    fix: list[
        Literal[
            "encoding",
            "label_spelling",
            "json_layout",
            "markup",
            "spaces",
            "quotes",
            "bullets",
            "money",
            "decimals",
            "full_stop",
            "dates",
            "letter_case",
            "wrong_label",
        ]
    ] = Field(
        ["encoding", "label_spelling", "json_layout"],
        description="What is mended with a record: broken encodings, case and spaces of labels and enum values, layout "
        "of JSON. On request: HTML in prose, and uneven format of answers, written as most of them are; "
        "wrong_label puts the likelier label in place of one that looks wrong.",
    )
    encoder: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether rows are compared by their meaning, with the encoder all-MiniLM-L6-v2 (English): always "
        "fetches it where it is not here (84 MB, once); auto: where it is the base anyhow.",
    )
    encoder_rows: int = Field(
        20_000,
        ge=0,
        description="With more rows than this, none are compared by meaning: the time grows with their square; "
        "20,000 short ones take some minutes on two cores.",
    )
    same_meaning: float = Field(
        0.9, gt=0, le=1, description="From this cosine of two inputs' embeddings on, they mean nearly the same."
    )
    near: float = Field(
        0.8,
        gt=0,
        le=1,
        description="From this Jaccard similarity of their 5-letter pieces on, two texts are near-duplicates.",
    )
    max_characters: int = Field(
        20_000, ge=1, description="Rows with a message longer than this many characters are set aside."
    )
    private: PrivateSettings = Field(
        default_factory=PrivateSettings,  # type: ignore[arg-type]
        description="What becomes of private data, by kind: `mask` puts a placeholder such as [EMAIL_1] in its place, "
        "`fake` something that looks like it, `set_aside` takes the row out, `keep` leaves it. "
        "One of these words alone holds for all kinds but names.",
    )

    @field_validator("private", mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        return dict.fromkeys(KINDS, value) if value in CHOICES else value

    @classmethod
    def known_fixes(cls) -> tuple[str, ...]:
        """The codes that `fix` may name."""
        (codes,) = get_args(cls.model_fields["fix"].annotation)
        return get_args(codes)
