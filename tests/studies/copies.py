"""Checks in copies of a process that has imported the libraries: that takes as long as a check."""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symmetry.base.files import writable_directory
from symmetry.base.folders import TemporaryFolder
from symmetry.base.names import typed
from symmetry.cli import main as symmetry
from symmetry.cli.campaign.several import Line, Work, check_all
from symmetry.report.table import ended, in_short

_SLOWER = 10  # the wall clock, where others use the processor, too
_KILLED = {-signal.SIGKILL, -signal.SIGXCPU}


@dataclass(frozen=True)
class Copies(Work):
    """Checks each target in a copy of this process, for so many CPU seconds at most."""

    limit: int = 0

    def check(self, target: str) -> tuple[Line, str]:
        """Return a target's line, and what it comes to."""
        with TemporaryFolder() as folder:
            file = Path(folder, "line.json")
            child = multiprocessing.get_context("fork").Process(
                target=self._limited, args=(target, file)
            )
            child.start()
            child.join(_SLOWER * self.limit)
            if child.is_alive():
                child.kill()
                child.join()
            try:
                line = json.loads(file.read_text("utf-8"))
            except OSError:
                late = f"it did not end within {self.limit} CPU seconds"
                why = late if child.exitcode in _KILLED else "it died"
                line = {"trainer": target, "error": why, "results": []}
        # Without what is null: half of the file.
        line["results"] = [{k: v for k, v in r.items() if v is not None} for r in line["results"]]
        line |= {"target": target, "ended": ended(line), "code": commit()}
        return line, f"{target}: {in_short(line)}"

    def write(self, target: str, file: Path) -> None:
        """Check a target, and write its line into a file; it runs in the copy."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        words, behind = typed(target)
        options = ["--in-process", "--no-explain", "--line", str(file)]
        sys.argv = ["symmetry", "check", *words, *options, "--", *behind]
        with suppress(SystemExit):
            symmetry()

    def _limited(self, target: str, file: Path) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (self.limit, self.limit + 5))
        self.write(target, file)


@cache
def commit() -> str:
    """Return the commit of the code that checks; nothing outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def options(command: str, written: str) -> argparse.ArgumentParser:
    """Return the options of a study that checks a list of trainings."""
    parser = argparse.ArgumentParser(prog=command, description=f"Write reports/{written}.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="check these, anew")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    return parser


def check_in_copies(
    targets: Iterable[tuple[str, str]],
    file: Path,
    given: argparse.Namespace,
    *,
    imported: Iterable[str],
    limit: int,
) -> None:
    """Check targets, given as name and target, or those asked for; add their lines to a file."""
    writable_directory(file.parent, file.name)
    chosen = [target for name, target in targets if name in (given.only or [name])]
    if given.only and file.exists():
        forget(file, chosen)
    for module in imported:
        importlib.import_module(module)
    work = Copies((), str(Path.cwd()), limit)
    check_all(chosen, work, jobs=given.jobs, results=file, scheduler=None, show=show)


def show(_: str, text: str) -> None:
    """Print what a check came to."""
    print(text, flush=True)


def forget(file: Path, targets: list[str]) -> None:
    """Remove the lines of targets that are to be checked anew."""
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["target"] not in targets]
    file.write_text("".join(kept), "utf-8")
