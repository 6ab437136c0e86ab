"""One command in one environment, and its verdict."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from symmetry.base.errors import FOUND, OK
from symmetry.base.processes import command as run_module
from symmetry.base.processes import ending

_FAILS = "error"  # verdicts on an invariant, as in check.schema.json
_BROKEN = ("violated", _FAILS)


@dataclass(frozen=True)
class Trial:
    """The answer of a command with one release."""

    release: str
    status: int | None  # its exit status; None if the release could not be installed
    broken: tuple[str, ...]  # the invariants that are broken, if the command is ``check``
    line: str  # the first line of its answer
    seconds: float
    fails: bool = False  # whether a target of ``check`` raises, or cannot be run

    @property
    def verdict(self) -> tuple[int, tuple[str, ...]] | None:
        """The exit status and the broken invariants, to compare; None if nothing was judged."""
        return (self.status, self.broken) if self.status in (OK, FOUND) else None


def tried(python: Path, release: str, words: Sequence[str]) -> Trial:
    """Run ``symmetry`` with these words by a Python, and return its verdict."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        words = _with_result(words, result)
        done = subprocess.run(
            [str(python), *run_module("symmetry.__main__", *words)[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        verdicts = _verdicts(result)
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    line = said[0] if said else ending(done.returncode)
    return Trial(
        release,
        done.returncode,
        tuple(sorted({name for name, verdict in verdicts if verdict in _BROKEN})),
        line,
        round(time.monotonic() - begin, 1),
        fails=any(verdict == _FAILS for _, verdict in verdicts),
    )


def _with_result(words: Sequence[str], result: Path) -> list[str]:
    """Return the words of a command that also writes its result into a file, if it is a check."""
    if words[0] != "check" or any(word.partition("=")[0] == "--json" for word in words):
        return [*words]
    return [words[0], "--json1", str(result), *words[1:]]


def _verdicts(result: Path) -> list[tuple[str, str]]:
    """Return the names and verdicts in the result of a check; none if it wrote nothing."""
    if not result.exists():
        return []
    found = json.loads(result.read_text())
    targets = found if isinstance(found, list) else [found]
    return [(r["name"], r["verdict"]) for t in targets for r in t["results"]]
