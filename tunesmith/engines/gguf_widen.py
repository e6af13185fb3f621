"""A GGUF file's 16-bit matrices with 32 bits: the same numbers, so that the engine computes with all of them.

llama.cpp's products on a processor take what a 16-bit matrix is multiplied with in 16 bits too
(https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-cpu/ggml-cpu.c: type_traits_cpu, vec_dot_type of F16);
with 32-bit matrices they are float32's throughout.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunesmith.engines.gguf_quantise import copy_fields

#: What `general.file_type` says of a file whose matrices have 32 bits (llama.h: LLAMA_FTYPE_ALL_F32).
ALL_F32 = 0


@contextmanager
def widened(source: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """What to hand to a child process in place of ``source``: a file, and the descriptors that it must be given for it.

    A file without f16 tensors is handed on as it is. On Linux the copy lies in memory alone, and goes with the last
    process that reads it, however this one ends. Elsewhere it is a file beside ``source``, and goes with the block.
    """
    import gguf

    reader = gguf.GGUFReader(source)
    if not any(_is_half(tensor) for tensor in reader.tensors):
        yield source, ()
    elif hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(source.name)
        try:
            place = Path(f"/proc/self/fd/{descriptor}")
            widen(reader, place)
            yield place, (descriptor,)
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory(dir=source.parent, prefix=".widened-") as folder:
            place = Path(folder) / source.name
            widen(reader, place)
            yield place, ()


def widen(reader: Any, target: Path) -> None:
    """Write the file that ``reader`` (gguf.GGUFReader) has open as ``target``: its f16 tensors as f32 with the same
    numbers, all else as it was. Peak memory is that of the largest tensor."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(target, str(reader.fields["general.architecture"].contents()))
    copy_fields(reader, writer, ALL_F32)
    for tensor in reader.tensors:
        data = tensor.data
        if _is_half(tensor):
            writer.add_tensor_info(tensor.name, data.shape, np.dtype(np.float32), 2 * data.nbytes)
        else:
            writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:
        writer.write_tensor_data(tensor.data.astype(np.float32) if _is_half(tensor) else tensor.data)
    writer.close()


def _is_half(tensor: Any) -> bool:
    from gguf import GGMLQuantizationType

    return bool(tensor.tensor_type == GGMLQuantizationType.F16)
