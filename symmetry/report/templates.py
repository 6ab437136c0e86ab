"""The templates that lie beside this file, and how they are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2


def render(template: str, **values: Any) -> str:
    """Fill in the template of that name; a value that it needs and does not get is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"repr": repr, "docstring": _for_docstring}
    return environment.get_template(template).render(**values)


def _for_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")
