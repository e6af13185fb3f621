"""Measurements of Tunesmith against its own bars and against peers: `python -m benchmarks [name…]`.

Each module has ``run(overrides) -> list[Figure]``; ``overrides`` are passed on as ``--set``.
"""
