"""Settings of the stage `collect`: my examples, from wherever they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tunesmith.settings import Settings

#: A zipped file may unpack to this much, however small it is.
FREE_BYTES = 64 * 1024 * 1024


class SourceSettings(Settings):
    """One source: a file or a folder of files."""

    path: str = Field(
        min_length=1,
        description="A CSV, TSV, JSON, JSONL, Parquet or plain text file, plain or .gz, or a folder.",
    )
    shape: Literal["auto", "openai_chat", "prompt_completion", "alpaca", "sharegpt", "columns", "text"] = Field(
        "auto",
        description="How a row is laid out; auto looks at the first rows. text: there is no question, the whole text "
        "is learned (by a fresh model, base.model: scratch): the passages of a text file, or one column.",
    )
    input: str | list[str] | None = Field(
        None, description="The column (or columns, joined by a line break each) that goes in."
    )
    output: str | list[str] | None = Field(
        None, description="The column that comes out; several columns become one JSON object."
    )
    rejected: str | None = Field(None, description="A column with an answer that should not be given.")
    tags: list[str] = Field(default_factory=list, description="Columns to keep with each row as tags, column=value.")
    weight: str | None = Field(None, description="A column with a number that scales a row's share of training.")
    part: Literal["train", "validation", "test"] | None = Field(
        None, description="Put all rows of this source in one part instead of splitting them."
    )
    passage: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        description="Of a plain text file: paragraphs are put together up to this many characters to make one row.",
    )
    bad_rows: Literal["stop", "set_aside"] = Field(
        "stop", description="What to do with rows that cannot be read: stop and list them, or set them aside."
    )
    encoding: str = Field("auto", description="The text encoding, such as utf-8 or cp1252.")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="The column separator of a CSV.")
    max_growth: int = Field(
        200,
        ge=1,
        description="How many times its own size a .gz or Parquet file may unpack to, once it has unpacked to 64 MB: "
        "more looks like a bomb.",
    )
    max_page_mb: int = Field(
        256, ge=1, description="The largest page of a Parquet file, in MB when unpacked: it is held in memory whole."
    )
    licence: str | None = Field(None, description="The licence of the data, kept with every row.")

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and delimiter in '"\r\n':
            raise ValueError("a double quote or a line end cannot separate columns")
        return delimiter
