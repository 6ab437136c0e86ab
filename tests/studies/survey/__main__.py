"""Write reports/survey.md: every model type of transformers and module of timm, checked.

A survey that was interrupted goes on where it stopped: lines that are in survey.jsonl stay. It is
``symmetry check tests/studies/survey/targets.py:trainings`` in processes that have imported the
libraries already, since that takes longer than most checks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from symmetry.base.folders import TemporaryFolder
from symmetry.cli import main as symmetry
from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from symmetry.report.table import ended, in_short
from tests.studies.survey.report import COMMAND, LINES, render

_SLOWER = 10  # the wall clock, where others use the processor, too
_KILLED = {-signal.SIGKILL, -signal.SIGXCPU}
TARGETS = "tests/studies/survey/targets.py:trainings"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/survey.md.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--cpu-limit", type=int, default=300, metavar="S", help="of each  [300]")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="compare these with the table")
    parser.add_argument("--recipes", nargs="*", metavar="NAME", help="find recipes; of NAME anew")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    if given.recipes is not None:
        from tests.studies.survey import images, language

        language.try_all([name for name in given.recipes if not name.startswith("timm.")])
        images.try_all([name[5:] for name in given.recipes if name.startswith("timm.")])
        return 0
    results, work = given.output / LINES, Copies((), "", given.cpu_limit)
    if given.only:
        return compare(given.only, work, read_lines(results))
    if not given.render:
        from tests.studies.survey.targets import trainings

        names = [f"{TARGETS}:{name}" for name, _ in trainings()]
        check_all(names, work, jobs=given.jobs, results=results, scheduler=None, show=_show)
    lines = list(read_lines(results).values())
    render(lines).write(given.output)
    middle, high = np.percentile([line.get("cpu_seconds", 0) for line in lines], [50, 95])
    print(f"{len(lines)} models: {middle:.1f} CPU seconds in the median, 95 % below {high:.1f}")
    return 0


def compare(names: Sequence[str], work: Work, table: Mapping[str, Line]) -> int:
    """Check models again and print which verdicts are others than in the table; 1 if any is."""
    other = False
    for target in (f"{TARGETS}:{name}" for name in names):
        line, text = work.check(target)
        print(text)
        before = verdicts(table[target]) if target in table else {}
        after = verdicts(line)
        changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
        for name, dtype in changed:
            was, now = (each.get((name, dtype), "none") for each in (before, after))
            print(f"  {name} in {dtype}: {was} in the table, {now} now")
        print("  another answer than in the table" if changed else "  as in the table")
        other |= bool(changed)
    return int(other)


def verdicts(line: Line) -> dict[tuple[str, str], str]:
    """Return the verdicts of a line by invariant and dtype."""
    return {(each["name"], each["dtype"]): each["verdict"] for each in line["results"]}


def _show(_: str, text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Copies(Work):
    """Checks each target in a copy of this process, for so many CPU seconds at most."""

    limit: int = 0

    def check(self, target: str) -> tuple[Line, str]:
        """Return a target's line, and what it comes to."""
        began = time.monotonic()
        with TemporaryFolder() as folder:
            file = Path(folder, "line.json")
            given = target, file, self.limit
            child = multiprocessing.get_context("fork").Process(target=_limited, args=given)
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
        seconds = round(time.monotonic() - began, 2)
        line |= {"target": target, "seconds": seconds, "ended": ended(line), "code": commit()}
        return line, f"{target}: {in_short(line)}"


@cache
def commit() -> str:
    """Return the commit of the code that checks; nothing outside of a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _limited(target: str, file: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    _check(target, file)


def _check(target: str, file: Path) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.argv = ["symmetry", "check", target, "--in-process", "--no-explain", "--line", str(file)]
    with suppress(SystemExit):
        symmetry()
    _add_causes(target, file)


def _add_causes(target: str, file: Path) -> None:
    """Add to a line why no gradient reaches modules."""
    from tests.studies.survey.causes import causes
    from tests.studies.survey.targets import trainings

    line = json.loads(file.read_text("utf-8"))
    if silent := line.get("without_gradient"):
        training = dict(trainings())[target.rpartition(":")[2]]
        line["causes"] = causes(training, silent)
        file.write_text(json.dumps(line), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
