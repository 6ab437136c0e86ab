"""Write reports/strangers.md: training scripts of public repositories, each checked as it is.

``python -m tests.studies.strangers`` brings each script at its commit and checks it with a budget;
``NAME...`` checks only these, anew. Lines that are in strangers.jsonl stay. ``--bugs`` puts bugs
into scripts, one at a time, and writes reports/strangers-bugs.md in the same way; its names are
those of scripts, or SCRIPT/BUG. ``--fixes`` mends what was found, for reports/strangers-fixes.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from symmetry.cli.campaign.several import read_lines
from tests.studies.copies import commit
from tests.studies.strangers import bugs_report, fixes_report, report
from tests.studies.strangers.fixes import fixes
from tests.studies.strangers.put_in import bugs, outcome
from tests.studies.strangers.recipes import RECIPES, Recipe
from tests.studies.strangers.report import COMMAND
from tests.studies.strangers.sources import CannotBringError, bring

_BUDGET = 120  # CPU seconds of a check, after which it answers with what it has
_LINES = 60  # of an answer that are kept
_LIMIT = 1200  # seconds of the clock, after which it is ended


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/strangers.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="check only these, anew")
    page = parser.add_mutually_exclusive_group()
    page.set_defaults(page=report)
    for name, help_, of in (
        ("--bugs", "put bugs into the scripts", bugs_report),
        ("--fixes", "mend the bugs that were found in them", fixes_report),
    ):
        page.add_argument(name, dest="page", action="store_const", const=of, help=help_)
    parser.add_argument("--sources", type=Path, metavar="DIR", help="checkouts, as OWNER+NAME")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    parser.add_argument("--render", action="store_true", help="only write the page")
    given = parser.parse_args()
    file = given.output / given.page.LINES
    lines = read_lines(file) if file.exists() else {}
    for name, recipe in () if given.render else _work(given.page):
        named = {name, recipe.name} & {*given.names}
        if named or (not given.names and name not in lines):
            line = checked(recipe, given.sources) | {"target": name}
            came = _as_it_came(lines.get(name)) if given.page is bugs_report else {}
            lines[name] = came | line
            file.write_text("".join(json.dumps(line) + "\n" for line in lines.values()), "utf-8")
    given.page.render(lines).write(given.output)
    return 0


def _work(page: ModuleType) -> Iterator[tuple[str, Recipe]]:
    """Yield each recipe with the name of its line."""
    if page is fixes_report:
        yield from ((each.recipe, each.put_in()) for each in fixes())
    elif page is bugs_report:
        yield from ((each.target, each.put_in()) for each in bugs())
    else:
        yield from ((each.name, each) for each in RECIPES)


def _as_it_came(before: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a line keeps of the first answer, if it has one."""
    if before is None:
        return {}
    return {"came": before.get("came") or outcome(before, bugs_report.without(before["target"]))}


def checked(recipe: Recipe, sources: Path | None) -> dict[str, Any]:
    """Bring a script, check it, and return the line of its answer."""
    line: dict[str, Any] = {"target": recipe.name, "code": commit()}
    with tempfile.TemporaryDirectory() as folder:
        try:
            place = bring(recipe, sources, Path(folder))
        except CannotBringError as error:
            return {**line, "error": str(error)}
        return line | answer(recipe, place)


def answer(recipe: Recipe, place: Path) -> dict[str, Any]:
    """Run a check, and return its exit status, its text, and what its result says in short."""
    words = [sys.executable, "-m", "symmetry", "check", *shlex.split(recipe.script)]
    result = place / "answer.json"
    words += ["--budget", str(_BUDGET), "--no-explain", "--json", str(result)]
    path = [str(place)] if recipe.path else []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            [*words, "--", *recipe.arguments],
            cwd=place / recipe.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "WANDB_MODE": "disabled"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {_LIMIT} s"}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = [line for line in (done.stdout or done.stderr).splitlines() if line.strip()]
    text = [line for line in text if not line.startswith("wrote ")]  # a temporary file
    found = json.loads(result.read_text("utf-8")) if result.exists() else {}
    problems = found.get("problems", ())
    return {
        "exit": done.returncode,
        "text": text[:_LINES],
        "judged": found.get("judged", []),
        "violations": [_place(each) for each in problems if each["level"] == "violation"],
        "notes": [each["check"] for each in problems if each["level"] == "note"],
        "cpu_seconds": round(seconds, 1),
    }


def _place(problem: dict[str, Any]) -> str:
    """Return the check that a script violates, and the line of the script."""
    where = f" {Path(problem['file']).name}:{problem['line']}" if problem["file"] else ""
    return f"{problem['check']}{where}"


if __name__ == "__main__":
    sys.exit(main())
