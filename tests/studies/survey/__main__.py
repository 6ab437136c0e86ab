"""Write reports/survey.md: model types of transformers and modules of timm, made tiny and checked.

A survey that was interrupted goes on where it stopped: lines that are in survey.jsonl stay. It is
``symmetry check tests/studies/survey/targets.py:trainings`` in processes that have imported the
libraries already, since that takes longer than most checks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from tests.studies.copies import Copies, show
from tests.studies.survey.report import COMMAND, LINES, render

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
    results, work = given.output / LINES, Models((), "", given.cpu_limit)
    if given.only:
        return compare(given.only, work, read_lines(results))
    if not given.render:
        from tests.studies.survey.targets import trainings

        names = [f"{TARGETS}:{name}" for name, _ in trainings()]
        check_all(names, work, jobs=given.jobs, results=results, scheduler=None, show=show)
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
        changed = False
        for key in sorted({*before, *after}):
            was, now = (each.get(key, "none") for each in (before, after))
            if was != now and {was, now} != {"none", "not applicable"}:  # as of a newer invariant
                print(f"  {key[0]} in {key[1]}: {was} in the table, {now} now")
                changed = True
        print("  another answer than in the table" if changed else "  as in the table")
        other |= changed
    return int(other)


def verdicts(line: Line) -> dict[tuple[str, str], str]:
    """Return the verdicts of a line by invariant and dtype."""
    return {(each["name"], each["dtype"]): each["verdict"] for each in line["results"]}


class Models(Copies):
    """Checks models, and adds to the line of each how long it took, and why modules are silent."""

    def check(self, target: str) -> tuple[Line, str]:
        """Return a model's line, and what it comes to."""
        began = time.monotonic()
        line, text = super().check(target)
        return {**line, "seconds": round(time.monotonic() - began, 2)}, text

    def write(self, target: str, file: Path) -> None:
        """Check a model, and write its line into a file; it runs in the copy."""
        super().write(target, file)
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
