"""How worker threads wait for each other, and memory that goes back to the system.

By default OpenMP's threads spin while they wait. With one other busy process on two cores that made
training twenty times slower; passive waiting keeps about half the speed. The settings are read
when torch is loaded, so they are set before, and never against the user's own.
"""

from __future__ import annotations

import ctypes
import gc
import os

PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "TOKENIZERS_PARALLELISM": "false"}


def be_patient() -> None:
    """Set the waiting policy, unless the environment sets it already."""
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)


def give_memory_back() -> None:
    """Collect garbage and hand freed memory back, before a model is loaded in another's place.

    glibc keeps what was freed in its arenas; without this the peak is that of both together.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library: nothing is lost but the memory
        return
