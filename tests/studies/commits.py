"""The commit of the code that measures: each row of a study has it."""

from __future__ import annotations

import subprocess
from functools import cache


@cache
def commit() -> str:
    """Return the commit of this checkout; nothing outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
