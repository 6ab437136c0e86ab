"""``python -m tests.studies.portability``: the golden trainings on every kind of processor."""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.files import writable_directory, write_all
from tests.environment import environment
from tests.network.golden import ALL, MADE, Case
from tests.studies.portability import emulators, report
from tests.studies.portability.run import SHORT, Row, run_all
from tests.studies.portability.targets import targets

COMMAND = "python -m tests.studies.portability --setup --output reports"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.studies.portability",
        description="Train the golden cases with other thread counts, compiled for other"
        " processors and under emulation, and compare every bit. Exits 1 if one differs.",
    )
    parser.add_argument("--quick", action="store_true", help="nothing emulated")
    parser.add_argument(
        "--long",
        action="store_true",
        help="train MNIST under emulation, too, and for 100 iterations elsewhere: an hour",
    )
    parser.add_argument(
        "--setup",
        action="store_true",
        help="fetch the emulators first, as Debian packages and wheels (180 MB), into the cache"
        " directory of the user; nothing is installed",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write portability.md there (default: nothing)"
    )
    return parser.parse_args(arguments)


def say(row: Row, case: Case) -> None:
    """Print that a case has ended, if it took a while."""
    if case.is_mnist:
        same = "the same" if row.same[case] else "different"
        print(f"{row.target.name}, {row.threads} threads: {case.name}: {same}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    options = parse(arguments)
    try:
        if options.output:
            writable_directory(options.output)
        if options.setup:
            emulators.set_up()
        chosen = [
            replace(target, needs="--quick emulates nothing")
            if options.quick and target.emulated
            else target
            for target in targets()
        ]
        rows = run_all(
            chosen,
            say,
            real=ALL if options.long else SHORT,
            emulated=SHORT if options.long else MADE,
        )
        print(report.plain_table(rows), *report.differences(rows), sep="\n")
        if options.output:
            facts = environment(**about_emulators(rows))
            text = report.markdown(rows, facts, COMMAND)
            write_all({options.output / "portability.md": text})
    except SymmetryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0 if all(row.is_good for row in rows) else 1


def about_emulators(rows: list[Row]) -> dict[str, str]:
    """Return the versions of what is not this machine's own."""
    facts = {}
    if version := emulators.qemu_version():
        facts["qemu-user"] = version
    for row in rows:
        if row.machine and row.machine["machine"] != platform.machine():
            packages = ("python", "numpy", "numba", "llvmlite")
            facts[row.target.name] = ", ".join(f"{name} {row.machine[name]}" for name in packages)
    return facts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
