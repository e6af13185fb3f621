"""Write the tuned model as one whole model, the adapter merged into the base, as any program loads it."""

from __future__ import annotations

import json
from pathlib import Path

from tunesmith.learners.causal_lm.encode import load_tokenizer
from tunesmith.learners.causal_lm.export import USE, USE_WHOLE
from tunesmith.learners.causal_lm.load import load_tuned
from tunesmith.learners.model_card import write_card
from tunesmith.products import BaseModel, GoalSheet, TunedModel

#: Where transformers keeps the chat template of a folder.
TEMPLATE_FILE = "chat_template.jinja"


def template_with_system(template: str, system: str) -> str:
    """The chat template, with the goal's system prompt put before a conversation that has none.

    So a client that sends the user's message alone asks the model as it was trained and tested.
    """
    told = json.dumps(system, ensure_ascii=False)
    return (
        "{%- if not messages or messages[0]['role'] != 'system' -%}"
        f"{{%- set messages = [{{'role': 'system', 'content': {told}}}] + messages -%}}"
        "{%- endif -%}" + template
    )


def save_whole(base: BaseModel, goal: GoalSheet, tuned: TunedModel, folder: Path) -> None:
    """Write float32 safetensors, tokenizer, chat template, model card and system prompt to ``folder``.

    The chat template has the system prompt in it (`template_with_system`), and so has what is made of the folder.

    Peak memory is about 8 bytes a parameter.
    """
    model = load_tuned(base, tuned.folder)
    model.config._name_or_path = ""
    model.save_pretrained(folder, safe_serialization=True)
    del model
    tokenizer = load_tokenizer(base.folder)
    tokenizer.save_pretrained(folder)
    template = template_with_system(str(tokenizer.chat_template), goal.system)
    (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")
    (folder / "system_prompt.txt").write_text(goal.system + "\n", encoding="utf-8")
    write_card(
        folder,
        base,
        goal,
        tuned.recipe,
        pipeline_tag="text-generation",
        library="transformers",
        usage=USE_WHOLE + USE.replace('{"role": "system", "content": SYSTEM_PROMPT}, ', ""),
    )
