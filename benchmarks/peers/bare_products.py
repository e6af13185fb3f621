"""The rate of bare bfloat16 products of SmolLM2's shapes, one thread a core, and the products that a node needs.

A node's products are those of its linear layers: forward, and backward to the input (frozen weights
have no gradient of their own); low-rank adapters add theirs, with a gradient. A target's are the head's.
"""

from __future__ import annotations

import json
import time

from tunesmith.threads import be_patient

HIDDEN, INNER, KEYS, VOCABULARY, LAYERS, RANK = 576, 1536, 192, 49152, 30, 16
#: (inputs, outputs) of a layer's frozen products, those that share an input joined.
SHAPES = ((HIDDEN, HIDDEN + 2 * KEYS), (HIDDEN, HIDDEN), (HIDDEN, 2 * INNER), (INNER, HIDDEN))
PARTS = (
    (HIDDEN, HIDDEN),
    (HIDDEN, KEYS),
    (HIDDEN, KEYS),
    (HIDDEN, HIDDEN),
    (HIDDEN, INNER),
    (HIDDEN, INNER),
    (INNER, HIDDEN),
)
NODES = 440


def main() -> dict[str, float]:
    be_patient()
    import torch

    from tunesmith.workers import Workers, cores

    def products(number: int) -> float:
        """Multiply each shape for a while; the FLOP done."""
        pairs = [
            (torch.ones(NODES, inputs, dtype=torch.bfloat16), torch.ones(outputs, inputs, dtype=torch.bfloat16))
            for inputs, outputs in SHAPES
        ]
        done = 0.0
        for _ in range(100):
            for left, right in pairs:
                left @ right.T
                done += 2 * NODES * right.shape[0] * right.shape[1]
        return done

    count = cores()
    with Workers(count) as workers:
        list(workers.map(products, range(count)))
        rates = []
        for _ in range(3):
            began = time.perf_counter()
            done = sum(workers.map(products, range(count)))
            rates.append(done / (time.perf_counter() - began))
    frozen = 2 * 2 * LAYERS * sum(inputs * outputs for inputs, outputs in SHAPES)
    adapters = 2 * 3 * LAYERS * RANK * sum(inputs + outputs for inputs, outputs in PARTS)
    return {
        "flops_a_second": sorted(rates)[1],
        "flops_a_node": frozen + adapters,
        "flops_a_target": 2 * 2 * HIDDEN * VOCABULARY,
    }


if __name__ == "__main__":
    print(json.dumps(main()))
