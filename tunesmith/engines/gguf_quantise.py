"""Make a GGUF file smaller: matrices in blocks of 4 or 5 bits, by the reference quantisers of the package `gguf`.

A block is 32 numbers with a scale and a smallest value
(https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c: quantize_row_q4_1_ref and its neighbours).
Embeddings stay at 8 bits: they hold a third of a small model, and most of what it loses would be lost there.
"""

from __future__ import annotations

from pathlib import Path

#: What a form is called, and the number of its kind in the header, `general.file_type` (llama.h: llama_ftype).
FILE_TYPES = {"q5_1": 9, "q4_1": 3}
#: Numbers in a block; a matrix whose rows are no multiple of it stays as it is.
BLOCK = 32
EMBEDDINGS = ("token_embd.weight", "output.weight")


def quantise(source: Path, target: Path, precision: str) -> None:
    """Write the GGUF ``source``, whose weights are f32 or f16, as ``target`` with matrices as ``precision``.

    ``precision`` is one of FILE_TYPES. Peak memory is that of the written tensors.
    """
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(source)
    architecture = str(reader.fields["general.architecture"].contents())
    writer = gguf.GGUFWriter(target, architecture, use_temp_file=False)
    copy_fields(reader, writer, FILE_TYPES[precision])
    wanted = gguf.GGMLQuantizationType[precision.upper()]
    for tensor in reader.tensors:
        data = np.asarray(tensor.data)
        if data.ndim < 2 or data.dtype not in (np.float16, np.float32) or data.shape[-1] % BLOCK:
            writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0 if tensor.name in EMBEDDINGS else wanted
        writer.add_tensor(tensor.name, gguf.quants.quantize(data.astype(np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def copy_fields(reader: object, writer: object, file_type: int) -> None:
    """Every named field of the source but those that the writer makes itself."""
    from gguf import GGUFValueType

    for field in reader.fields.values():  # type: ignore[attr-defined]
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        value = file_type if field.name == "general.file_type" else field.contents()
        writer.add_key_value(field.name, value, kind, sub_type=inner)  # type: ignore[attr-defined]
