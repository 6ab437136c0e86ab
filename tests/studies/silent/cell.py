"""One pair before one tool: both scripts, in a folder and a process of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from symmetry.base.folders import TemporaryFolder
from tests.studies.copies import commit
from tests.studies.silent.pair import Pair
from tests.studies.silent.tools import NotApplicable, Scripts, Tool, silently

Row = dict[str, Any]
_LIMIT = 3000  # seconds of the wall clock, where others use the processor, too


def measure(pair: Pair, tool: Tool) -> Row:
    """Return the row of a cell."""
    row: Row = {"pair": pair.name, "tool": tool.name, "version": tool.version, "commit": commit()}
    with TemporaryFolder() as folder:
        scripts = Scripts(pair, Path(folder, "broken.py"), Path(folder, "twin.py"))
        scripts.broken.write_text(pair.broken, "utf-8")
        scripts.twin.write_text(pair.twin, "utf-8")
        for script in (scripts.broken, scripts.twin):
            row[script.stem] = _alone(folder, lambda at=script: tool.judge(scripts, at))
    return {**row, "python": platform.python_version()}


def _alone(folder: Path, judge: Callable[[], Any]) -> Row:
    """Call a function in a copy of this process; return its findings, or why there are none."""
    answer = Path(folder, "answer.json")
    answer.unlink(missing_ok=True)
    copy = multiprocessing.get_context("fork").Process(target=_answer, args=(folder, judge, answer))
    copy.start()
    copy.join(_LIMIT)
    if copy.is_alive():
        copy.kill()
        copy.join()
        return {"error": f"it did not end within {_LIMIT} seconds"}
    return json.loads(answer.read_text("utf-8")) if answer.exists() else {"error": "it died"}


def _answer(folder: Path, judge: Callable[[], Any], answer: Path) -> None:
    os.chdir(folder)
    row: Row
    try:
        with silently():
            row = vars(judge())
    except NotApplicable as why:
        row = {"why": str(why)}
    except Exception as error:  # a tool may raise anything
        row = {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:300]}
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    row["cpu_seconds"] = round(sum(each.ru_utime + each.ru_stime for each in used), 2)
    answer.write_text(json.dumps(row), "utf-8")
