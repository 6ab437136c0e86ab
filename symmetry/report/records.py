"""Records as JSON that people can read too."""

from __future__ import annotations

import json
import math
from typing import Any


def number(value: float) -> float | str:
    """Return a number, or the name of what JSON has no number for: ``inf``, ``-inf``, ``nan``."""
    return value if math.isfinite(value) else str(value)


def dump(value: Any, indent: str = "") -> str:
    """Return JSON with one line for each innermost list or object."""
    children = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not any(isinstance(c, dict | list) for c in children):
        return json.dumps(value, allow_nan=False)
    deeper = indent + "  "
    lines = [dump(child, deeper) for child in children]
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {line}" for key, line in zip(value, lines, strict=True)]
    brackets = "{}" if isinstance(value, dict) else "[]"
    body = ",\n".join(deeper + line for line in lines)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"
