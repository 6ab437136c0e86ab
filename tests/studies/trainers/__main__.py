"""Write reports/trainers.md: trainers, losses and collators of five libraries, each checked.

A study that was interrupted goes on where it stopped: lines that are in trainers.jsonl stay. It is
``symmetry check SCRIPT NAME`` in copies of a process that has imported the libraries already, since
that takes as long as a check.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from symmetry.cli.campaign.several import check_all, read_lines
from tests.studies.copies import Copies, forget, show
from tests.studies.trainers.combinations import combinations
from tests.studies.trainers.report import COMMAND, LINES, render

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
_IMPORTED = (  # what takes long
    *("transformers.trainer_seq2seq", "transformers.models.llama.modeling_llama"),
    *("transformers.models.bert.modeling_bert", "transformers.models.gpt2.modeling_gpt2"),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "trl.trainer.grpo_trainer"),
    *("timm.task", "torchvision.models.detection", "lightning.pytorch", "peft"),
)
_LIMIT = 1200  # CPU seconds, after which a check is given up


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
        work = Copies((), str(Path.cwd()), _LIMIT)
        check_all(targets, work, jobs=given.jobs, results=file, scheduler=None, show=show)
    render(read_lines(file)).write(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
