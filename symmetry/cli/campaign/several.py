"""Many targets: each is checked by a process of its own, on this machine or on others.

A target is sent by its name. The answer is one line of JSON: the verdicts, the
target's name, the seconds that it took, its memory, and how it ended.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symmetry.base.errors import OK, SymmetryError
from symmetry.base.files import append, writable_files
from symmetry.base.folders import TemporaryFolder
from symmetry.base.processes import command, cores
from symmetry.cli.options import as_typed, typed_options
from symmetry.cli.screen import current, say

if TYPE_CHECKING:
    from symmetry.cli.baseline import BaselineFile
    from symmetry.cli.outcome import Output

_OURS = (
    *("jobs", "results", "scheduler", "json", "output", "in_process", "line"),
    "update_baseline",
)
Line = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """An order to a worker: a command line without the target, and the folder to run it in."""

    options: tuple[str, ...]
    folder: str

    def check(self, target: str) -> tuple[Line, str]:
        """Check one target in a process of its own; return its line, and what was printed."""
        from symmetry.base.names import typed
        from symmetry.report.table import ended

        words, behind = typed(target)
        began = time.monotonic()
        with TemporaryFolder() as folder:
            file = Path(folder) / "line.json"
            options = (*self.options, "--line", str(file))
            done = subprocess.run(
                command("symmetry.cli", "check", *words, *options, "--", *behind),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            try:
                line = json.loads(file.read_text("utf-8"))
            except (OSError, ValueError):  # it could not do its work
                *_, why = done.stderr.strip().splitlines() or ["it said nothing"]
                why = why.removeprefix("error: ")
                line = {"trainer": target, "error": why, "results": []}
        seconds = round(time.monotonic() - began, 2)
        whole = {"target": target, **line, "seconds": seconds, "ended": ended(line)}
        printed = done.stdout if "error" not in line else f"{done.stdout}error: {line['error']}\n"
        return whole, printed


def check_several(
    names: Sequence[str],
    left_out: Sequence[str],
    to: Output,
    baseline: BaselineFile,
    **how: Any,
) -> int:
    """Check the targets of these names; print and write their table, and return the exit status."""
    from symmetry.report import table

    to.refuse(table.MARKDOWN)
    writable_files(how["results"])
    if not to.text and how["results"] is not None:
        raise click.UsageError("--results is for the format text.")
    each = 1 if how["scheduler"] else max(cores() // (how["jobs"] or 1), 1)
    work = Work((*typed_options(_OURS), "--jobs", str(each)), str(Path.cwd()))
    printed: dict[str, str] = {}
    show = (lambda _, text: say(text)) if to.text else printed.__setitem__
    lines = check_all(names, work, show=show, **how)
    code = table.worst_code(lines, accepting=baseline.update)
    silent = to.quiet and code == OK
    if to.text and not silent:
        for text in (*table.table_lines(table.by_suspicion(lines), left_out), ""):
            say(text)
    elif not to.text:
        _print_merged(lines, printed, to.format_)
        for text in left_out:
            say(f"left out: {text}", err=True)
    if to.logged and not silent:
        for text in table.table_lines(table.by_suspicion(lines), left_out):
            say(text, err=True)
    contents: dict[Path, str | bytes] = {}
    if to.json is not None:
        contents[to.json] = table.table_json(lines)
    if to.output is not None:
        contents |= table.render_models(lines, left_out, as_typed()).contents(to.output)
    to.write(contents)
    baseline.end(lines)
    if to.text and not silent:
        say(table.sum_up(lines))
    return code


def _print_merged(lines: Sequence[Line], printed: Mapping[str, str], format_: str) -> None:
    """Print what the processes have printed in one format as one text."""
    from symmetry.report.formats.formats import merge
    from symmetry.report.table import table_json

    if format_ == "json":
        say(table_json(lines).rstrip("\n"))
        return
    failed = [(line["trainer"], line["error"]) for line in lines if "error" in line]
    texts = [printed[line["target"]].rstrip("\n") for line in lines if "error" not in line]
    say(merge(format_, texts, failed))


def check_all(
    targets: Sequence[str],
    work: Work,
    *,
    jobs: int | None,
    results: Path | None,
    scheduler: str | None,
    show: Callable[[str, str], None],
) -> list[Line]:
    """Check targets side by side; return their lines, in the order of the targets.

    Each line is appended to ``results`` as soon as it is there. Targets that have a line there are
    not checked again. ``show`` gets each other target and what its process has printed.
    """
    known = read_lines(results) if results is not None and results.exists() else {}
    missing = [target for target in targets if target not in known]
    if len(missing) < len(targets):
        say(f"{len(targets) - len(missing)} of {len(targets)} targets are in {results} already\n")
    with _executor(jobs or 1, scheduler) as executor:
        futures = [executor.submit(work.check, target) for target in missing]
        for number, future in enumerate(as_completed(futures), 1):
            line, text = _result(future, missing[futures.index(future)])
            known[line["target"]] = line
            if results is not None:
                append(results, json.dumps(line).encode())
            show(line["target"], text)
            current().doing("targets", number, len(missing))
    return [known[target] for target in targets]


def read_lines(file: Path) -> dict[str, Line]:
    """Return the lines of a file of results, by target; the last of a target counts.

    An incomplete last line, which a killed process leaves, is ignored.

    Raises
    ------
    SymmetryError
        If the file cannot be read.
    """
    try:
        texts = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SymmetryError(f"{file} cannot be read: {why}") from None
    lines = {}
    for text in texts:
        with suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            lines[line["target"]] = line
    return lines


def _result(future: Any, target: str) -> tuple[Line, str]:
    """Return what a worker has found, or that it ended."""
    try:
        found: tuple[Line, str] = future.result()
    except Exception as error:  # of a cluster: a worker that died more often than it may
        why = f"no worker could check it: {type(error).__name__}: {error}"
        return {"target": target, "trainer": target, "error": why, "results": []}, f"error: {why}"
    return found


@contextmanager
def _executor(jobs: int, scheduler: str | None) -> Iterator[Executor]:
    """Yield an executor: local threads, each of which waits for a process, or a cluster."""
    if scheduler is None:
        with ThreadPoolExecutor(jobs) as executor:
            try:
                yield executor
            finally:  # an error, such as a full disk, does not wait for all other targets
                executor.shutdown(wait=False, cancel_futures=True)
        return
    from symmetry.cli.campaign.cluster import connected

    with connected(scheduler) as executor:
        yield executor
