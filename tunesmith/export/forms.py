"""The forms that a trained model can be exported in, by what it is and how exact its weights are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tunesmith.engines.upstream import Upstream
from tunesmith.errors import InputError

#: Logits nearer than this are a tie: which of them is first hangs on the order of additions.
TIE = 1e-3
#: Ends the names of forms that are replayed in float32 arithmetic.
IN_FLOAT32 = "-in-float32"


@dataclass(frozen=True)
class Form:
    """One way to write the model. ``to``: gguf, ollama, hf, vllm or onnx. ``bits`` of a weight, 0 where not known.

    ``rounding``: how far, in logits, the form's precision can move two tokens against each other; whether a difference
    at a smaller gap is due to it is then measured (rounding.py). None for quantised weights, which are judged by their
    score.
    """

    to: str
    precision: str
    learner: str
    bits: float
    rounding: float | None
    #: Computed in float32 with the file's 16-bit weights, as `tunesmith serve` does.
    wide: bool = False
    #: The server that has the model: then nothing is written but the certificate.
    upstream: Upstream | None = None

    @property
    def name(self) -> str:
        return f"{self.to}-{self.precision}{IN_FLOAT32 if self.wide else ''}"

    @property
    def quantised(self) -> bool:
        return self.rounding is None


#: f16: the weights are those that were tested, but the engine takes what they are multiplied with in 11 bits too. With
#: logits of about 20 that moves them by some hundredths (docs/decisions/0014-half-weights.md has measurements).
_GGUF = (("f16", 16, 0.05), ("q8_0", 8.5, None), ("q5_1", 6, None), ("q4_1", 5, None), ("f32", 32, TIE))
FORMS = (
    *(Form("gguf", precision, "causal_lm", bits, rounding) for precision, bits, rounding in _GGUF),
    *(Form("ollama", precision, "causal_lm", bits, rounding) for precision, bits, rounding in _GGUF),
    Form("hf", "float32", "causal_lm", 32, TIE),
    Form("vllm", "float32", "causal_lm", 32, TIE),
    Form("hf", "float32", "classifier", 32, TIE),
    Form("onnx", "float32", "classifier", 32, TIE),
    Form("onnx", "int8", "classifier", 8, None),
)
#: What --to accepts.
KINDS = tuple(dict.fromkeys(form.to for form in FORMS))
PRECISIONS = tuple(dict.fromkeys(form.precision for form in FORMS))


def form_of(learner: str, to: str, precision: str | None = None) -> Form:
    """The form by its words; without a precision the most exact one that is usual there, which stands first.

    Raises InputError ``unknown_form`` when this model has no such form.
    """
    served = [form for form in FORMS if form.learner == learner]
    found = [form for form in served if form.to == to and precision in (None, form.precision)]
    if not found:
        known = ", ".join(f"{form.to} {form.precision}" for form in served)
        wanted = f"{to} {precision}" if precision else to
        raise InputError("unknown_form", f"this model has no form {wanted!r}", "--to", f"its forms: {known or 'none'}")
    return found[0]


def served_wide(form: Form) -> Form:
    """The form as a server runs it that computes in float32: then only the order of additions is left as a reason."""
    return replace(form, wide=True, rounding=TIE) if form.precision == "f16" else form


def at_upstream(learner: str, upstream: Upstream) -> Form:
    """The model as a server of somebody's has it. How exact that computes is not known, so only a tie is a reason."""
    return Form(upstream.kind, "upstream", learner, 0, TIE, upstream=upstream)


def shrinking(learner: str) -> list[Form]:
    """The forms that are tried for the smallest, the largest first; one of each file."""
    to = "gguf" if learner == "causal_lm" else "onnx"
    forms = [form for form in FORMS if form.learner == learner and form.to == to and form.precision != "f32"]
    return sorted(forms, key=lambda form: -form.bits)
