"""Records as JSON that people can read too."""

import json
import math
from dataclasses import is_dataclass
from typing import Any


def dump(value: Any, indent: str = "") -> str:
    """Return JSON with one line for each innermost list or object.

    Records within become objects. Numbers that JSON lacks become strings: ``"inf"``,
    ``"-inf"``, ``"nan"``.
    """
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, dict | list | tuple):
        return json.dumps(value)
    children = list(value.values()) if isinstance(value, dict) else value
    children = [vars(child) if is_dataclass(child) else child for child in children]
    deeper = indent + "  "
    lines = [dump(child, deeper) for child in children]
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {line}" for key, line in zip(value, lines, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    if not any(isinstance(child, dict | list | tuple) for child in children):
        return f"{start}{', '.join(lines)}{end}"
    body = ",\n".join(deeper + line for line in lines)
    return f"{start}\n{body}\n{indent}{end}"
