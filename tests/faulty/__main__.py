"""Write reports/faults.md: which invariant catches which fault.

Exit status: 0 all faults are caught and no sound trainer is accused, 1 they are not, or `--check`
found that the report would change, 2 it cannot be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from symmetry.errors import SymmetryError
from symmetry.report.files import Report
from tests.faulty.report import COMMAND, MARKDOWN, render
from tests.faulty.survey import Acquittal, Catch, survey

REPORTS = Path(__file__).parents[2] / "reports"


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/faults.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    found = survey(announce)
    report = Report({MARKDOWN: render(found)})
    differences = report.differences(REPORTS) if check else ()
    if not check:
        report.write(REPORTS)
    for difference in differences:
        print(difference)
    return 0 if found.as_it_should_be and not differences else 1


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
