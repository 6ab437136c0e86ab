"""Write reports/trainers.md: trainers, losses and collators of five libraries, each checked.

A study that was interrupted goes on where it stopped: lines that are in trainers.jsonl stay. It is
``symmetry check SCRIPT NAME`` in copies of a process that has imported the libraries already, since
that takes as long as a check.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
from contextlib import suppress
from pathlib import Path

from symmetry.base.folders import TemporaryFolder
from symmetry.base.names import typed
from symmetry.cli import main as symmetry
from symmetry.cli.campaign.several import Line, Work, check_all, read_lines
from symmetry.report.table import ended, in_short
from tests.studies.survey.__main__ import commit
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.report import COMMAND, LINES, render

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
_IMPORTED = (  # what takes long
    *("transformers.trainer_seq2seq", "transformers.models.llama.modeling_llama"),
    *("transformers.models.bert.modeling_bert", "transformers.models.gpt2.modeling_gpt2"),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "trl.trainer.grpo_trainer"),
    *("timm.task", "torchvision.models.detection", "lightning.pytorch", "peft"),
)
_SECONDS = 3600  # after which a check is given up


def main() -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write reports/trainers.md.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="checks side by side  [1]")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="check these, anew")
    parser.add_argument("--render", action="store_true", help="check nothing: of what is there")
    parser.add_argument("--output", type=Path, default=Path("reports"), metavar="DIR")
    given = parser.parse_args()
    file = given.output / LINES
    if not given.render:
        os.environ.update(_OFFLINE)
        targets = [
            each.target for each in combinations() if each.name in (given.only or [each.name])
        ]
        if given.only and file.exists():
            forget(file, targets)
        for module in _IMPORTED:
            importlib.import_module(module)
        work = Copies((), str(Path.cwd()))
        check_all(targets, work, jobs=given.jobs, results=file, scheduler=None, show=_show)
    render(read_lines(file)).write(given.output)
    return 0


class Copies(Work):
    """Checks each target in a copy of this process."""

    def check(self, target: str) -> tuple[Line, str]:
        """Return a target's line, and what it comes to."""
        with TemporaryFolder() as folder:
            file = Path(folder, "line.json")
            context = multiprocessing.get_context("fork")
            child = context.Process(target=_check, args=(target, file))
            child.start()
            child.join(_SECONDS)
            if child.is_alive():
                child.kill()
                child.join()
            try:
                line = json.loads(file.read_text("utf-8"))
            except OSError:
                line = {"trainer": target, "error": "it died, or ran too long", "results": []}
        # Without what is null: half of the file.
        line["results"] = [{k: v for k, v in r.items() if v is not None} for r in line["results"]]
        line |= {"target": target, "ended": ended(line), "code": commit()}
        return line, f"{target}: {in_short(line)}"


def forget(file: Path, targets: list[str]) -> None:
    """Remove the lines of targets that are to be checked anew."""
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["target"] not in targets]
    file.write_text("".join(kept), "utf-8")


def _check(target: str, file: Path) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    words, behind = typed(target)
    options = ["--in-process", "--no-explain", "--line", str(file)]
    sys.argv = ["symmetry", "check", *words, *options, "--", *behind]
    with suppress(SystemExit):
        symmetry()


def _show(_: str, text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
