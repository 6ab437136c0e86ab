"""Write reports/faults.md: which invariant catches which fault.

Rows stand in faults.jsonl; a study that was interrupted goes on there, and a row of other code is
measured anew.

Exit status: 0 all faults are caught and no sound trainer is accused, 1 they are not, or `--check`
found that the report would change, 2 it cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.report.files import ReportFiles
from tests.studies.ages import aged
from tests.studies.faults import entries, steps, trainings
from tests.studies.faults.rows import Row, measured
from tests.studies.faults.steps_section import COMMAND, MARKDOWN, ROWS, render
from tests.studies.faults.trainings_section import HEADING, section

REPORTS = Path(__file__).parents[3] / "reports"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/faults.md.")
    parser.add_argument("--jobs", type=int, metavar="N", help="checks side by side  [all cores]")
    parser.add_argument("--check", action="store_true", help="write no report, compare")
    parser.add_argument("--trainings", action="store_true", help="the section on trainings only")
    given = parser.parse_args()
    names = entries.names(of_steps=not given.trainings)
    rows = measured(names, entries.measure, REPORTS / ROWS, given.jobs, announce)
    sound, text = _steps(rows, given.trainings)
    found = trainings.survey(rows)
    for fared in found:
        if not fared.as_it_should_be:
            print(f"UNEXPECTED  {fared.name}")
            sound = False
    page = aged(MARKDOWN, f"{text}\n{section(found)}", rows.values())
    report = ReportFiles({MARKDOWN: page}, ())
    differences = report.differences(REPORTS) if given.check else ()
    if not given.check:
        report.write(REPORTS)
    for difference in differences:
        print(difference)
    return 0 if sound and not differences else 1


def _steps(rows: dict[str, Row], kept: bool) -> tuple[bool, str]:
    """Return what the report says of steps, of their rows or as it is, and whether all is well."""
    if kept:
        text = (REPORTS / MARKDOWN).read_text(encoding="utf-8")
        return True, text.partition(f"\n{HEADING}\n")[0]
    found = steps.survey(rows)
    for name in found.unexpected:
        print(f"UNEXPECTED  {name}")
    return not found.unexpected, render(found)


def announce(number: int, count: int, row: Row) -> None:
    """Say in one line what was measured."""
    caught = ", ".join(row.get("by") or row.get("caught_by") or row.get("accusing") or ["-"])
    print(f"{number} of {count}  {row['target']}: {caught}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SymmetryError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
