"""The Modelfile that makes Ollama ask a GGUF as it was trained: template, stops, system prompt, greedy answers.

Ollama has templates of its own kind (Go's text/template). Where each turn is written by itself, with a fixed text
before and after it for each role, one is made from the chat template, by looking at what that renders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunesmith.errors import InputError

Messages = Sequence[dict[str, str]]
#: Renders a conversation up to where the assistant answers, or, with False, as it stands.
Render = Callable[[Messages, bool], str]
ROLES = ("system", "user", "assistant")
_MARK = "0c5b7a"


@dataclass(frozen=True)
class Turns:
    """What stands before and after a message of each role, and what the assistant's answer begins with."""

    before: dict[str, str]
    after: dict[str, str]
    answer: str

    def render(self, messages: Messages) -> str:
        """A conversation up to where the assistant answers."""
        turns = [self.before[one["role"]] + one["content"] + self.after[one["role"]] for one in messages]
        return "".join(turns) + self.answer

    def as_go(self) -> str:
        """The same as a template of Ollama's."""
        branches = [
            f'{{{{ {"if" if number == 0 else "else if"} eq .Role "{role}" }}}}'
            f"{self.before[role]}{{{{ .Content }}}}{self.after[role]}"
            for number, role in enumerate(ROLES)
        ]
        return f"{{{{ range .Messages }}}}{''.join(branches)}{{{{ end }}}}{{{{ end }}}}{self.answer}"


def turns_of(render: Render) -> Turns:
    """Read the turns from what the chat template renders.

    Raises InputError ``template_not_for_ollama`` when turns are not written each by itself.
    """
    system = {"role": "system", "content": f"s{_MARK}"}
    user = {"role": "user", "content": f"u{_MARK}"}
    answer = {"role": "assistant", "content": f"a{_MARK}"}
    try:
        whole = [system, user, answer, user]
        through = ["", *(render(whole[: index + 1], False) for index in range(len(whole)))]
        before, after = {}, {}
        for index, message in enumerate(whole[:3]):
            turn = through[index + 1].removeprefix(through[index])
            before[message["role"]], after[message["role"]] = turn.split(message["content"])
        turns = Turns(before, after, render(whole, True).removeprefix(through[-1]))
        same = all(
            turns.render(asked) == render(asked, True)
            for asked in ([system, user], whole, [system, user, answer, user, answer, user])
        )
    except (ValueError, KeyError):
        same = False
    if not same or any("{{" in text for text in (turns.as_go().replace("{{ ", ""), turns.answer)):
        raise _not_for_ollama("this model's chat template does not write each turn by itself")
    return turns


def _not_for_ollama(why: str) -> InputError:
    return InputError(
        "template_not_for_ollama",
        f"{why}, so it cannot be said in a Modelfile",
        fix="export it with `--to gguf`: template and system prompt are in the file, and llama.cpp reads them there",
    )


def modelfile(turns: Turns, gguf: str, system: str, context: int, limit: int) -> str:
    """The text of the Modelfile. Raises InputError ``template_not_for_ollama`` for what it has no words for."""
    stops = dict.fromkeys(text.strip() for text in turns.after.values() if text.strip())
    lines = [
        f"FROM ./{gguf}",
        f"TEMPLATE {_quoted(turns.as_go(), 'the chat template')}",
        f"SYSTEM {_quoted(system, 'the system prompt')}",
        *(f"PARAMETER stop {_quoted(stop, 'what ends a turn')}" for stop in stops),
        "PARAMETER temperature 0",
        "PARAMETER top_k 1",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_ctx {context}",
        f"PARAMETER num_predict {limit}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str, what: str) -> str:
    """The text between quotes, which know no escapes, as Ollama's parser reads it (parser/parser.go: ParseFile): three
    quotes at the end of a line end it, and characters that do not print are dropped."""
    lost = sorted({character for character in text if not (character.isprintable() or character in "\n\t")})
    if '"""' in text or lost:
        why = f"holds {', '.join(map(ascii, lost))}, which Ollama drops" if lost else 'holds """'
        raise _not_for_ollama(f"{what} {why}")
    mark = '"""' if '"' in text or "\n" in text else '"'
    return f"{mark}{text}{mark}"
