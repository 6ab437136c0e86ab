"""Options that ``symmetry check`` had before, each with the words that say what to type now."""

from __future__ import annotations

from collections.abc import Mapping

_LINES = (
    "--baseline FILE --update-baseline, or a comment # symmetry: ignore[NAME] REASON at the line"
)
_GONE: Mapping[str, str] = {
    "expect-failure": "--baseline FILE --update-baseline, or # symmetry: ignore[NAME] at the line",
    "fast": "--skip 'symmetry/*'",
    "json1": "--json FILE, or --results FILE for all facts",
    "memory": "ulimit -v KIB before the command",
    "min-samples": "--case FILE, with cases of more samples",
    "since": "--results FILE each time, and compare the files",
    "strict": "--gate '*'",
    "time-limit": "--budget SECONDS for a target, --timeout SECONDS for a call of it",
}


def instead(option: str) -> str:
    """Say what to type in place of an option; empty if there never was one of this name."""
    name = option.removeprefix("--")
    return f"--{name} is gone: type {_GONE[name]}" if name in _GONE else ""
