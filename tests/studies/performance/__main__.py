"""``python -m tests.studies.performance``: the core beside NumPy, PyTorch and JAX."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from symmetry.base.errors import SymmetryError
from symmetry.base.files import content, writable_directory
from symmetry.report.files import ReportFiles
from tests.environment import environment
from tests.studies.performance.figures import figures
from tests.studies.performance.kept import FILE, kept
from tests.studies.performance.load import rates
from tests.studies.performance.report import document
from tests.studies.performance.sweeps import FULL, QUICK, Measured, run

COMMAND = "python -m tests.studies.performance --output reports"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.studies.performance",
        description="Time the cores beside NumPy, PyTorch and JAX by share of nonzeros, hidden"
        " units, classes and threads; measure this machine's limits, and memory.",
    )
    parser.add_argument("--quick", action="store_true", help="a few points that prove nothing")
    parser.add_argument(
        "--samples", type=int, metavar="N", help=f"of a sweep's training set [{FULL.swept}]"
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"iterations of each that are timed [{FULL.rounds}]"
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help=f"counts to measure; 1 alone where others use the machine {list(FULL.threads)}",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="write performance.md and its figures there (default: only print the report)",
    )
    return parser.parse_args(arguments)


def say(what: str) -> None:
    """Tell what is measured next."""
    print(f"measuring: {what}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    options = parse(arguments)
    try:
        if options.output:
            writable_directory(options.output)
        load = os.getloadavg()[0]  # of the last minute, before anything is measured
        plan = QUICK if options.quick else FULL
        plan = replace(
            plan,
            swept=options.samples or plan.swept,
            rounds=options.rounds or plan.rounds,
            threads=tuple(options.threads or plan.threads),
        )
        measured = run(plan, say)
        before = content(options.output / FILE) if options.output else None
        report = render(measured, before, load, options.quick)
        print(report.texts["performance.md"], end="")
        if options.output:
            report.write(options.output)
    except SymmetryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def render(measured: Measured, before: bytes | None, load: float, quick: bool) -> ReportFiles:
    """Return the report; `before` is what was kept of earlier ones."""
    found = rates(measured)
    facts = environment(**blas(), **{"load average at the start": f"{load:.2f}"})
    all_processors = kept(measured, facts, before)
    plan = measured.plan
    command = f"{COMMAND} --samples {plan.swept} --rounds {plan.rounds}"
    if plan.threads != FULL.threads:
        command += f" --threads {' '.join(map(str, plan.threads))}"
    text = document(measured, all_processors, found, facts, command, quick=quick, load=load)
    texts = {"performance.md": text, FILE: json.dumps(all_processors, indent=1) + "\n"}
    return ReportFiles(texts, figures(measured, found))


def blas() -> dict[str, str]:
    """Return NumPy's BLAS and the kernels that it chose for this processor."""
    from threadpoolctl import threadpool_info

    return {
        "NumPy's BLAS": ", ".join(
            f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', 'unknown')})"
            for pool in threadpool_info()
            if pool["user_api"] == "blas" and "numpy" in pool["filepath"]  # not SciPy's
        )
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
