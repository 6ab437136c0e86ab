"""Write reports/compiler.md: small architectures, compiled by torch.compile and as written.

What was measured stands in compiler.jsonl; a study that was interrupted goes on there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from symmetry.base.folders import TemporaryFolder
from symmetry.targets.sizes.arguments import Arguments, spell
from tests.studies.compiler.report import COMMAND, LINES, render

Row = dict[str, Any]
LIMIT = 600  # CPU seconds of one architecture, with what makes it smaller
SHRUNK = ("differs", "raises")


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/compiler.md.")
    parser.add_argument("--examples", type=int, default=240, metavar="N", help="at most 240")
    parser.add_argument("--render", action="store_true", help="compare nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if not given.render:
        measure(given.examples, file)
    render(read(file)).write(given.output)
    return 0


def measure(number: int, file: Path) -> None:
    """Append the rows that are not there; then those that are not the same, made smaller."""
    with TemporaryFolder() as folder, file.open("a", encoding="utf-8") as lines:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder  # headers are compiled once
        prepare()
        for row in _rows(number, file):
            small = row.get("smallest", {}).get("line", "")
            print(row["outcome"], row.get("ratio"), row["line"], row["why"], small, flush=True)
            lines.write(json.dumps(row) + "\n")
            lines.flush()


def _rows(number: int, file: Path) -> Iterator[Row]:
    from tests.studies.compiler.trainings import drawn

    yield from new_rows(drawn(number), read(file))
    yield from smallest_rows(read(file))


def read(file: Path) -> list[Row]:
    """Return the rows that are there; the last one of an architecture counts."""
    text = file.read_text("utf-8") if file.exists() else ""
    rows = (json.loads(line) for line in text.splitlines())
    return [*{row["line"]: row for row in rows}.values()]


def new_rows(examples: Iterable[Arguments], known: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of architectures that were not compared."""
    from tests.studies.compiler.row import row_of

    there = {row["line"] for row in known}
    for arguments in examples:
        if spell(arguments) not in there:
            began = used()
            found = in_a_process(row_of, arguments)
            seconds = {"cpu_seconds": round(used() - began, 1), "made_with": made_with()}
            died = {"outcome": "died", "why": "the process of the comparison ended"}
            line = {"arguments": dict(arguments), "line": spell(arguments)}
            yield {**line, **(found or died), **seconds}


def smallest_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows that are not the same with the smallest architecture that fails in this way."""
    from tests.studies.compiler.row import smallest

    for row in rows:
        if row["outcome"] in SHRUNK and "smallest" not in row:
            yield {**row, "smallest": in_a_process(smallest, row) or {"line": row["line"]}}


def in_a_process(work: Callable[[Any], Row], given: Any) -> Row:
    """Return what a function returns; nothing if a compiler ends the process, or never ends."""
    with TemporaryFolder() as folder:
        file = Path(folder, "row.json")
        child = multiprocessing.get_context("fork").Process(target=_work, args=(work, given, file))
        child.start()
        child.join()
        found: Row = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return found


def made_with() -> str:
    """Return what decides the results: the compilers and the machine."""
    import torch
    from torch._inductor import cpp_builder

    from tests.environment import processor

    name = cpp_builder.get_cpp_compiler()
    found = re.search(r"version ([\d.]+)", cpp_builder.get_compiler_version_info(name))
    compiler = f"{Path(name).name} {found[1] if found else ''}".rstrip()
    kernels = torch.backends.cpu.get_cpu_capability()
    return f"PyTorch {torch.__version__}, {compiler}, {processor()}, kernels for {kernels}"


def _work(work: Callable[[Any], Row], given: Any, file: Path) -> None:
    from torch._dynamo.utils import counters
    from torch._inductor import metrics

    metrics.reset()
    counters.clear()
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
    file.write_text(json.dumps(work(given)), "utf-8")


def prepare() -> None:
    """Import and compile once what each process would for itself."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    import torch

    from tests.studies.compiler.row import compared
    from tests.studies.compiler.trainings import PLAIN

    torch.set_num_threads(1)
    compared(PLAIN)


def used() -> float:
    """Return the CPU seconds of all processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


if __name__ == "__main__":
    sys.exit(main())
