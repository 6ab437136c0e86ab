"""Write reports/checks.md: what checks of small scripts cost, beside an epoch of each alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llvmlite.binding import get_host_cpu_name

from symmetry.report.filling import environment, fill_paragraphs
from tests.studies.rows import REPORTS, Row, commit, made_at, read_rows, write_rows

COMMAND = "python -m tests.studies.checks"
MARKDOWN, ROWS = "checks.md", "checks.jsonl.gz"
SCRIPTS = {  # in the order of the page
    "readme": "README's script",
    "cnn": "CNN",
    "gpt": "GPT",
    "trainer": "Trainer of transformers",
    "lightning_fit": "Lightning",
    "jax_mlp": "MLP in JAX",
}
FOLDER = Path(__file__).parent / "scripts"
# One thread each, which waits for work without using a processor.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "JAX_PLATFORMS": "cpu",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=f"Write reports/{MARKDOWN}.")
    parser.add_argument("--render", action="store_true", help="measure nothing: of what is there")
    parser.add_argument("--output", type=Path, default=REPORTS, metavar="DIR")
    given = parser.parse_args()
    if not given.render:
        write_rows(given.output / ROWS, map(measured, SCRIPTS))
    (given.output / MARKDOWN).write_text(render(read_rows(given.output / ROWS)), "utf-8")
    return 0


def measured(name: str) -> Row:
    """Measure a script alone, and its check, one after the other."""
    script = str(FOLDER / f"{name}.py")
    row = {
        "target": name,
        "commit": commit(),
        "processor": get_host_cpu_name(),
        "alone": costs_of([sys.executable, script]),
        "check": costs_of([sys.executable, "-m", f"{__package__}.one", script], answers=True),
    }
    print(json.dumps(row), flush=True)
    return row


def costs_of(command: Sequence[str], *, answers: bool = False) -> dict[str, Any]:
    """Return the seconds and the memory of a command, beside the last line of JSON it prints.

    The memory is that of its largest process.
    """
    began, load = time.monotonic(), os.getloadavg()[0]
    variables = {**os.environ, **_ENVIRONMENT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "seconds": round(time.monotonic() - began, 1),
        "memory": used.ru_maxrss * 1024,
        "load": round(load, 1),
        **(json.loads(printed[-1]) if answers else {}),
    }


def render(rows: list[Row]) -> str:
    """Return the page of some rows."""
    template = environment(Path(__file__).parent).get_template(f"{MARKDOWN}.jinja")
    text = template.render(
        command=COMMAND,
        made=made_at(rows),
        rows=rows,
        titles=SCRIPTS,
        processors=sorted({row["processor"] for row in rows}),
        load=max(row[part]["load"] for row in rows for part in ("alone", "check")),
    )
    return fill_paragraphs(text)


if __name__ == "__main__":
    sys.exit(main())
