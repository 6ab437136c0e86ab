"""Check the public code of a study, and write its page: reports/STUDY.md.

``python -m tests.studies.public STUDY`` checks the targets of the study that have no row in
reports/STUDY.jsonl.gz, so one that was interrupted goes on. ``--anew`` checks all that have no
row of this commit, ``NAME...`` these. A target is ``symmetry check TARGET --results FILE`` in a
folder of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from symmetry.base.folders import TemporaryFolder
from tests.studies.public import rows
from tests.studies.public.bringing import BESIDE, ROOT, CannotBringError, bring
from tests.studies.public.bugs import outcome
from tests.studies.public.page import render
from tests.studies.public.targets import STUDIES, Study, Target, study
from tests.studies.rows import commit

_LIMIT = 3600  # seconds of the clock, after which a check is ended
_ENVIRONMENT = {
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "jax",
    "OMP_NUM_THREADS": "1",
    "WANDB_MODE": "disabled",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.studies.public", description="Check public code; write its page."
    )
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="check these targets, again")
    parser.add_argument(
        "--anew", action="store_true", help="check all that have no row of this commit"
    )
    parser.add_argument("--render", action="store_true", help="check nothing, write the page")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--sources", type=Path, metavar="DIR", help="checkouts, as OWNER+NAME")
    parser.add_argument("--output", type=Path, default=ROOT / "reports", metavar="DIR")
    given = parser.parse_args()
    chosen = study(given.study)
    if unknown := {*given.names} - {each.name for each in chosen.targets}:
        parser.error(f"not in the list: {', '.join(sorted(unknown))}")
    if not given.render:
        with TemporaryFolder() as folder:
            check_all(
                chosen,
                given.output,
                given.sources or Path(folder),
                names=given.names,
                anew=given.anew,
                jobs=given.jobs,
            )
    render(chosen, given.output).write(given.output)
    return 0


def check_all(
    chosen: Study,
    reports: Path,
    sources: Path,
    *,
    names: Sequence[str] = (),
    anew: bool = False,
    jobs: int = 1,
) -> None:
    """Check the targets of these names, or those that have no row; keep each row at once.

    With ``anew`` a row of another commit is none.
    """
    file, lock = rows.file_of(chosen.name, reports), Lock()
    found = rows.read(file)
    known = {name for name, row in found.items() if not anew or row["code"] == commit()}
    missing = [each.name for each in chosen.targets if each.name not in known]
    wanted = [each for each in chosen.targets if each.name in (names or missing)]

    def keep(target: Target) -> None:
        row = checked(target, chosen.head["check"], sources, lock)
        with lock:
            if "of" in chosen.head:
                row["came"] = found.get(target.name, {}).get("came") or outcome(
                    row, _without(chosen, target, reports)
                )
            found[target.name] = row
            order = [t.name for t in chosen.targets if t.name in found]
            rows.write(file, [found[name] for name in order])
            print(f"{target.name}: {row['said']}", flush=True)

    with ThreadPoolExecutor(jobs) as executor:
        [*executor.map(keep, wanted)]


def _without(chosen: Study, target: Target, reports: Path) -> rows.Row:
    """Return the row of a script without the bug of a target."""
    scripts = rows.read(rows.file_of(chosen.head["of"], reports))
    return scripts[target.name.partition("/")[0]]


def checked(target: Target, options: Sequence[str], sources: Path, lock: Lock) -> rows.Row:
    """Bring a target, check it, and return its row."""
    with TemporaryFolder() as folder:
        place, lines = Path(folder, "place"), Path(folder, "lines.jsonl")
        place.mkdir()
        try:
            with lock:  # two targets may be of one checkout
                bring(target, sources, place)
            _check(target, options, place, lines)
            line = json.loads(lines.read_text("utf-8"))
        except (CannotBringError, subprocess.TimeoutExpired, OSError) as error:
            line = {"error": str(error), "results": []}
    return rows.row_of(target.name, commit(), line)


def _check(target: Target, options: Sequence[str], place: Path, lines: Path) -> None:
    """Run the command, and end what it has started if it comes too late."""
    words = [sys.executable, "-m", "symmetry", "check", target.typed, "--no-explain", *options]
    environment = {**os.environ, **_ENVIRONMENT, BESIDE.upper(): str(place / BESIDE)}
    if target.path:
        environment["PYTHONPATH"] = str(place)
    with subprocess.Popen(
        [*words, "--results", str(lines)],
        cwd=place / target.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


if __name__ == "__main__":
    sys.exit(main())
