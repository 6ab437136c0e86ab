"""Write reports/faults.md: which invariant catches which fault.

Exit status: 0 all faults are caught and no sound trainer is accused, 1 they are not, or `--check`
found that the report would change, 2 it cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.report.files import ReportFiles
from tests.studies.faults import trainings
from tests.studies.faults.steps import Acquittal, Catch, survey
from tests.studies.faults.steps_section import COMMAND, MARKDOWN, render
from tests.studies.faults.trainings_section import HEADING, figure, section

REPORTS = Path(__file__).parents[3] / "reports"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/faults.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("--trainings", action="store_true", help="the section on trainings only")
    given = parser.parse_args()
    check = given.check
    sound, steps = _steps(given.trainings)
    found = trainings.survey(announce_training)
    sound = sound and all(fared.as_it_should_be for fared in found)
    report = ReportFiles({MARKDOWN: f"{steps}\n{section(found)}"}, (figure(found),))
    differences = report.differences(REPORTS) if check else ()
    if not check:
        report.write(REPORTS)
    for difference in differences:
        print(difference)
    return 0 if sound and not differences else 1


def _steps(kept: bool) -> tuple[bool, str]:
    """Return what the report says of steps, surveyed or as it is, and whether all is well."""
    if kept:
        text = (REPORTS / MARKDOWN).read_text(encoding="utf-8")
        return True, text.partition(f"\n{HEADING}\n")[0]
    found = survey(announce)
    return found.as_it_should_be, render(found)


def announce_training(result: trainings.Fared) -> None:
    """Say in one line how a training fared."""
    caught = "caught" if result.fault else "sound"
    state = caught if result.as_it_should_be else "UNEXPECTED"
    print(f"{state:12}{result.name}", flush=True)


def announce(result: Catch | Acquittal) -> None:
    """Say in one line how a trainer fared."""
    if isinstance(result, Catch):
        print(f"{'caught' if result.caught else 'MISSED':12}{result.fault.name}", flush=True)
    else:
        state = "UNEXPECTED" if result.unexpected else "sound"
        print(f"{state:12}{result.sound.name}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SymmetryError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
