"""How worker threads wait for each other, and how memory is kept, looked through and given back.

By default OpenMP's threads spin while they wait: with one other busy process on two cores that made
training twenty times slower. Waiting without any spinning costs half the speed of an idle machine.
A short spin keeps most of both. The settings are read when torch is loaded, so they are set
before, and never against the user's own.
"""

from __future__ import annotations

import ctypes
import gc
import os

from tunesmith.launch import place

PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000", "TOKENIZERS_PARALLELISM": "false"}

#: mallopt's parameters by number (malloc.h): M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD, in bytes.
KEPT_AT_HAND = {-3: 32 * 2**20, -1: 2**31 - 1, -2: 64 * 2**20}


def be_patient() -> None:
    """Set the waiting policy, unless the environment sets it already, and keep freed memory at hand.

    Processes that were launched together share the cores when they train together (`training/ranks.py`);
    before and after, the first works alone and may have them all.

    glibc hands large freed blocks back at once, and each step of a training run then pays for its
    pages anew; `give_memory_back` does it where a model goes.
    """
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    if place() and os.environ.get("OMP_NUM_THREADS") == "1":  # torchrun sets it where the user did not
        del os.environ["OMP_NUM_THREADS"]
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library: only speed is lost
        return
    for parameter, size in KEPT_AT_HAND.items():
        mallopt(parameter, size)


def give_memory_back() -> None:
    """Collect garbage and hand freed memory back, before a model is loaded in another's place.

    glibc keeps what was freed in its arenas; without this the peak is that of both together.
    """
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library: nothing is lost but the memory
        return


def look_through_no_more() -> None:
    """Have no later collection of garbage look at what is alive now: called where something large was loaded to stay.

    With torch and transformers loaded half a million objects are alive. A collection that looks at all of them holds
    every thread for 0.27 s, and a classifier's server under load came to one every eight seconds. What is let go all
    the same goes as its last reference goes; what is in a cycle needs `look_through_again`.
    """
    gc.freeze()


def look_through_again() -> None:
    """Collect all garbage once: called where something large that stayed was given up."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
