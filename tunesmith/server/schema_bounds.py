"""How large the JSON Schemas of a request may be, and other values that are as deep as clients make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunesmith.server.refusal import Refusal

#: Nodes and depth of a JSON Schema.
MOST_NODES, DEEPEST = 5000, 40
#: The longest pattern of a schema, in characters, and how many there may be: keys of patternProperties count too.
LONGEST_PATTERN, MOST_PATTERNS = 500, 100


def check_size(schema: Any, param: str) -> None:
    """Raises Refusal ``bad_schema`` for a schema, or for several together, that is absurdly large."""
    patterns = 0
    for count, (depth, node) in enumerate(nodes(schema)):
        found = _patterns(node)
        patterns += len(found)
        too_long = any(len(pattern) > LONGEST_PATTERN for pattern in found)
        if depth > DEEPEST or count > MOST_NODES or patterns > MOST_PATTERNS or too_long:
            what = (
                f"the schema is too large: at most {MOST_NODES:,} values, {DEEPEST} levels and {MOST_PATTERNS} "
                f"patterns of {LONGEST_PATTERN} characters"
            )
            raise Refusal(400, "bad_schema", what, param=param)


def nodes(value: Any) -> Iterator[tuple[int, Any]]:
    """Every value in a value of JSON with its depth."""
    waiting = [(0, value)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
        waiting += [(depth + 1, one) for one in inner]


def _patterns(node: Any) -> list[str]:
    """Regular expressions that stand in a value of the schema itself."""
    if not isinstance(node, Mapping):
        return []
    keys = node.get("patternProperties")
    return [
        *([node["pattern"]] if isinstance(node.get("pattern"), str) else ()),
        *(keys if isinstance(keys, Mapping) else ()),
    ]
